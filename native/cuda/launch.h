#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "cuda/check.h"

namespace slim::cuda {

/// How a kernel is launched. Shared memory is dynamic; more than 48 KB of it, and clusters of more than 8 blocks, need
/// AllowSharedMemory and AllowLargeClusters before.
struct LaunchShape {
  dim3 grid = 1;
  dim3 block = 1;
  size_t shared_bytes = 0;
  unsigned int cluster = 1;  // blocks along x that share their memory; compute capability 9.0
  bool cooperative = false;  // all blocks are resident together, or the launch fails
};

/// The one way to launch. Arguments are converted to the kernel's parameters. Throws Error (kDevice), naming the
/// kernel.
template <class... Parameters, class... Arguments>
void Launch(void (*kernel)(Parameters...), const LaunchShape& shape, cudaStream_t stream, Arguments&&... arguments) {
  cudaLaunchAttribute attributes[2];
  cudaLaunchConfig_t configuration = {};
  configuration.gridDim = shape.grid;
  configuration.blockDim = shape.block;
  configuration.dynamicSmemBytes = shape.shared_bytes;
  configuration.stream = stream;
  configuration.attrs = attributes;
  if (shape.cooperative) {
    attributes[configuration.numAttrs].id = cudaLaunchAttributeCooperative;
    attributes[configuration.numAttrs++].val.cooperative = 1;
  }
  if (shape.cluster > 1) {
    attributes[configuration.numAttrs].id = cudaLaunchAttributeClusterDimension;
    attributes[configuration.numAttrs].val.clusterDim.x = shape.cluster;
    attributes[configuration.numAttrs].val.clusterDim.y = 1;
    attributes[configuration.numAttrs++].val.clusterDim.z = 1;
  }
  const cudaError_t error = cudaLaunchKernelEx(&configuration, kernel, std::forward<Arguments>(arguments)...);
  if (error != cudaSuccess) FailLaunch(error, reinterpret_cast<const void*>(kernel));
}

/// Lets launches of the kernel ask for up to `bytes` of shared memory. Throws Error (kDevice) where the device has not
/// so much.
template <class... Parameters>
void AllowSharedMemory(void (*kernel)(Parameters...), size_t bytes) {
  Check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
        "set the shared memory of a kernel");
}

/// Lets launches of the kernel have clusters of up to 16 blocks.
template <class... Parameters>
void AllowLargeClusters(void (*kernel)(Parameters...)) {
  Check(cudaFuncSetAttribute(kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1),
        "set the cluster size of a kernel");
}

/// Blocks for a kernel whose loop strides over the grid: one thread for each of `count` elements, but no more blocks
/// than keep the device busy.
inline unsigned int BlocksFor(int64_t count, int threads, int multiprocessors) {
  constexpr int64_t kWaves = 16;
  const int64_t blocks = (count + threads - 1) / threads;
  const int64_t most = kWaves * multiprocessors;
  return static_cast<unsigned int>(blocks < 1 ? 1 : blocks < most ? blocks : most);
}

}  // namespace slim::cuda
