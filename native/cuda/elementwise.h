#pragma once

#include <cstdint>

#include "cuda/context.h"
#include "cuda/launch.h"

namespace slim::cuda {

inline constexpr int kElementThreads = 256;

template <class Work>
__global__ void __launch_bounds__(kElementThreads) ElementKernel(int64_t count, const __grid_constant__ Work work) {
  const int64_t stride = int64_t{gridDim.x} * kElementThreads;
  for (int64_t i = int64_t{blockIdx.x} * kElementThreads + threadIdx.x; i < count; i += stride) work(i);
}

/// work(i) for each i below `count`, in no order. Neighbours run side by side, so `work` reads and writes best at i.
template <class Work>
void ForEachElement(const CudaContext& context, int64_t count, const Work& work) {
  if (count <= 0) return;
  const unsigned int blocks = BlocksFor(count, kElementThreads, context.device.multiprocessors);
  Launch(&ElementKernel<Work>, {.grid = blocks, .block = kElementThreads}, context.stream, count, work);
}

}  // namespace slim::cuda
