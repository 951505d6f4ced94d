// Errors that a test provokes.
#pragma once

#include <optional>
#include <string>

#include "errors.h"

namespace slim::test {

struct Caught {
  std::optional<ErrorCode> code;
  std::string text;  // "ERR_CODE: message", empty where nothing was thrown
};

// What the action ends in.
template <class Action>
Caught ErrorOf(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return {error.code(), std::string(error.Code()) + ": " + error.what()};
  }
  return {};
}

}  // namespace slim::test
