#pragma once

#include <cuda_runtime.h>

/// What all 32 lanes of a warp make of their values together; every lane gets it, by the same additions in the same
/// order.
namespace slim::cuda {

template <class T>
__device__ inline T WarpSum(T value) {
  for (int lanes = 16; lanes > 0; lanes /= 2) value += __shfl_xor_sync(0xFFFFFFFFu, value, lanes);
  return value;
}

__device__ inline float WarpMaximum(float value) {
  for (int lanes = 16; lanes > 0; lanes /= 2) value = fmaxf(value, __shfl_xor_sync(0xFFFFFFFFu, value, lanes));
  return value;
}

}  // namespace slim::cuda
