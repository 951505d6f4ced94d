// Where in the sources a thread calls, for the messages: std::source_location, which Clang has from 16 on only.
#pragma once

namespace emulated {

struct Place {
  const char* file;
  unsigned int line;

  /// As a default argument it is the caller's place.
  static constexpr Place Current(const char* file = __builtin_FILE(), unsigned int line = __builtin_LINE()) {
    return {file, line};
  }
};

}  // namespace emulated
