#include "cuda/check.h"

namespace slim::cuda {
namespace {

std::string Words(cudaError_t error) {
  std::string words = std::string(cudaGetErrorString(error)) + " (" + cudaGetErrorName(error) + ")";
  if (IsDeviceLost(error)) {
    words +=
        "; this process can no longer use the device: start it anew, go on from what was saved last, or use the CPU";
  }
  return words;
}

// An error that concerns one call alone would else be found by the next call that asks for the last error.
void Forget(cudaError_t error) {
  if (!IsDeviceLost(error)) static_cast<void>(cudaGetLastError());
}

ErrorCode CodeOf(cudaError_t error) {
  if (error == cudaErrorMemoryAllocation) return ErrorCode::kOutOfMemory;
  return IsDeviceLost(error) ? ErrorCode::kDeviceLost : ErrorCode::kDevice;
}

std::string Megabytes(size_t bytes) { return std::to_string((bytes + (size_t{1} << 20) - 1) >> 20) + " MB"; }

std::string NameOf(const void* kernel) {
#if defined(CUDART_VERSION) && CUDART_VERSION >= 12030
  const char* name = nullptr;
  if (cudaFuncGetName(&name, kernel) == cudaSuccess && name != nullptr) return name;
#else
  static_cast<void>(kernel);
#endif
  return "a kernel";
}

}  // namespace

bool IsDeviceLost(cudaError_t error) {
  switch (error) {
    case cudaErrorECCUncorrectable:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorUnknown:
      return true;
    default:
      return false;
  }
}

void Check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  Forget(error);
  throw Error(CodeOf(error), std::string("Could not ") + what + " on the CUDA device: " + Words(error));
}

void FailLaunch(cudaError_t error, const void* kernel) {
  Forget(error);
  const std::string text = "Could not launch " + NameOf(kernel) + " on the CUDA device: " + Words(error);
  if (error == cudaErrorCooperativeLaunchTooLarge) throw GridTooLarge(ErrorCode::kDevice, text);
  throw Error(CodeOf(error), text);
}

void FailLibrary(ErrorCode code, const std::string& words) {
  // A lost device answers every call with what it was lost by. This one is allowed while a step is recorded, too.
  size_t free = 0, total = 0;
  const cudaError_t error = cudaMemGetInfo(&free, &total);
  if (IsDeviceLost(error)) throw Error(ErrorCode::kDeviceLost, words + "; the CUDA device: " + Words(error));
  static_cast<void>(cudaGetLastError());
  throw Error(code, words);
}

void FailAllocation(cudaError_t error, size_t bytes) {
  if (error != cudaErrorMemoryAllocation) Check(error, "allocate memory");
  Forget(error);
  std::string text = "Could not get " + Megabytes(bytes) + " (" + std::to_string(bytes) + " bytes) of GPU memory";
  size_t free = 0, total = 0;
  if (cudaMemGetInfo(&free, &total) == cudaSuccess)
    text += ": " + Megabytes(free) + " of " + Megabytes(total) + " are free";
  throw Error(ErrorCode::kOutOfMemory, text);
}

void FailAllocationByLimit(const char* variable, size_t bytes, size_t taken, size_t limit) {
  throw Error(ErrorCode::kOutOfMemory, "Could not get " + Megabytes(bytes) + " (" + std::to_string(bytes) +
                                           " bytes) of GPU memory: " + variable + " lets this process have " +
                                           Megabytes(limit) + ", of which " + Megabytes(taken) + " are taken");
}

}  // namespace slim::cuda
