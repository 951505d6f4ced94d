#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <string>

namespace slim::cuda {

/// Throws Error (kDevice) unless `error` is success: "Could not <what> on the CUDA device: <CUDA's words>". Where this
/// process can no longer use the device the error is kDeviceLost and says that, and what to do, too; where memory lacks,
/// as CUDA wants some for kernels, streams and graphs, it is kOutOfMemory.
void Check(cudaError_t error, const char* what);

/// The error of a kernel that could not be launched, by its name.
[[noreturn]] void FailLaunch(cudaError_t error, const void* kernel);

/// The error of memory that could not be had: kOutOfMemory with the bytes asked for, free and in all.
[[noreturn]] void FailAllocation(cudaError_t error, size_t bytes);

/// The same where the environment's variable holds less than is asked for beside what is taken.
[[noreturn]] void FailAllocationByLimit(const char* variable, size_t bytes, size_t taken, size_t limit);

/// Whether all later work of this process on the device fails too.
bool IsDeviceLost(cudaError_t error);

}  // namespace slim::cuda
