#include "cuda/device_memory.h"

#include <cuda_runtime.h>

#include "cuda/check.h"

namespace slim::cuda {

void* AllocateDeviceMemory(size_t bytes) {
  void* memory = nullptr;
  const cudaError_t error = cudaMalloc(&memory, bytes);
  if (error != cudaSuccess) FailAllocation(error, bytes);
  return memory;
}

void FreeDeviceMemory(void* memory) noexcept {
  if (memory == nullptr) return;
  // An error is one of the work before, which whoever waits for it is told.
  static_cast<void>(cudaFree(memory));
}

}  // namespace slim::cuda
