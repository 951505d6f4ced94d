#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace slim::cuda {

/// The entries of a list, empty ones left out. Not by a stream: those of C++ bring their locales along, which would be
/// a tenth of the library.
inline std::vector<std::string> Split(std::string_view list, char separator) {
  std::vector<std::string> entries;
  while (!list.empty()) {
    const size_t end = std::min(list.find(separator), list.size());
    if (end > 0) entries.emplace_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return entries;
}

}  // namespace slim::cuda
