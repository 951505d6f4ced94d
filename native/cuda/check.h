#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <string>

#include "errors.h"

namespace slim::cuda {

/// Throws Error (kDevice) unless `error` is success: "Could not <what> on the CUDA device: <CUDA's words>". Where this
/// process can no longer use the device the error is kDeviceLost and says that, and what to do, too; where memory
/// lacks, as CUDA wants some for kernels, streams and graphs, it is kOutOfMemory.
void Check(cudaError_t error, const char* what);

/// The error of blocks that have to be resident together and that the device has no room for now, as where another
/// process holds a part of it.
class GridTooLarge : public Error {
 public:
  using Error::Error;
};

/// The error of a kernel that could not be launched, by its name; GridTooLarge where that was the cause.
[[noreturn]] void FailLaunch(cudaError_t error, const void* kernel);

/// The error of a library of NVIDIA's that failed, in its own words. A library tells a lost device as a failure of its
/// own; then CUDA's words are added and the error is kDeviceLost.
[[noreturn]] void FailLibrary(ErrorCode code, const std::string& words);

/// The error of memory that could not be had: kOutOfMemory with the bytes asked for, free and in all.
[[noreturn]] void FailAllocation(cudaError_t error, size_t bytes);

/// The same where the environment's variable holds less than is asked for beside what is taken.
[[noreturn]] void FailAllocationByLimit(const char* variable, size_t bytes, size_t taken, size_t limit);

/// Whether all later work of this process on the device fails too.
bool IsDeviceLost(cudaError_t error);

}  // namespace slim::cuda
