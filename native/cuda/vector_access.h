#pragma once

#include <cuda_runtime.h>

#include <cstdint>

/// Neighbouring elements read and written at once: one, or two or four at an address that is a multiple of their bytes.
namespace slim::cuda {

template <int kVector>
__device__ inline void LoadVector(const float* from, float* to) {
  if constexpr (kVector == 4) {
    const float4 v = *reinterpret_cast<const float4*>(from);
    to[0] = v.x, to[1] = v.y, to[2] = v.z, to[3] = v.w;
  } else if constexpr (kVector == 2) {
    const float2 v = *reinterpret_cast<const float2*>(from);
    to[0] = v.x, to[1] = v.y;
  } else {
    static_assert(kVector == 1);
    *to = *from;
  }
}

template <int kVector>
__device__ inline void LoadVector(const int32_t* from, int32_t* to) {
  if constexpr (kVector == 4) {
    const int4 v = *reinterpret_cast<const int4*>(from);
    to[0] = v.x, to[1] = v.y, to[2] = v.z, to[3] = v.w;
  } else {
    static_assert(kVector == 1);
    *to = *from;
  }
}

template <int kVector>
__device__ inline void StoreVector(const float* from, float* to) {
  if constexpr (kVector == 4) {
    *reinterpret_cast<float4*>(to) = float4{from[0], from[1], from[2], from[3]};
  } else {
    static_assert(kVector == 1);
    *to = *from;
  }
}

/// Whether rows of `width` elements of 4 bytes each, `stride` elements apart, can be read four elements at a time.
inline bool ReadsInFours(const void* rows, int64_t stride, int64_t width) {
  return reinterpret_cast<uintptr_t>(rows) % sizeof(float4) == 0 && stride % 4 == 0 && width % 4 == 0;
}

/// The same of rows one after the other.
inline bool ReadsInFours(const void* rows, int64_t width) { return ReadsInFours(rows, width, width); }

}  // namespace slim::cuda
