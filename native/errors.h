#pragma once

#include <stdexcept>
#include <string>

namespace slim {

/// What went wrong, as the TypeScript side knows it: the addon hands `Code()` over as the JavaScript error's `code`,
/// and src/native-errors.ts makes the class from it.
enum class ErrorCode {
  kInvalidArgument,
  kInvalidModel,
  kInvalidData,
  kOutOfMemory,
  kOutOfHostMemory,  // to make room on the device does not help; for JavaScript the same as kOutOfMemory
  kDevice,
  kDeviceLost,  // no later work on the device can succeed; for JavaScript the same as kDevice
  kDisposed,
  kBusy,
};

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}

  ErrorCode code() const noexcept { return code_; }

  const char* Code() const noexcept {
    switch (code_) {
      case ErrorCode::kInvalidArgument:
        return "ERR_INVALID_ARGUMENT";
      case ErrorCode::kInvalidModel:
        return "ERR_INVALID_MODEL";
      case ErrorCode::kInvalidData:
        return "ERR_INVALID_DATA";
      case ErrorCode::kOutOfMemory:
      case ErrorCode::kOutOfHostMemory:
        return "ERR_OUT_OF_MEMORY";
      case ErrorCode::kDevice:
      case ErrorCode::kDeviceLost:
        return "ERR_DEVICE";
      case ErrorCode::kDisposed:
        return "ERR_DISPOSED";
      case ErrorCode::kBusy:
        return "ERR_BUSY";
    }
    return "ERR_INVALID_ARGUMENT";
  }

 private:
  ErrorCode code_;
};

}  // namespace slim
