#pragma once

#include <cuda_runtime.h>

#include <cstdint>

/// Where the elements of a product's operand come from. An operand has lines (rows of A, columns of B), each `depth`
/// elements long; kVector neighbours are read at once, along the depth or along the lines. Prepare does once for a line
/// what does not depend on the depth; elements outside are 0.
namespace slim::cuda {

template <int kVector>
__device__ inline void LoadVectorOrZero(bool inside, const float* from, float* to) {
  if constexpr (kVector == 4) {
    const float4 v = inside ? *reinterpret_cast<const float4*>(from) : float4{0, 0, 0, 0};
    to[0] = v.x, to[1] = v.y, to[2] = v.z, to[3] = v.w;
  } else {
    *to = inside ? *from : 0.0f;
  }
}

/// Element (line, k) is data[line * stride + k]. kVector is 1, or 4 where data, stride and depth are multiples of 4.
template <int kVector_>
struct DepthMajorOperand {
  static constexpr bool kAlongDepth = true;
  static constexpr int kVector = kVector_;
  using Line = const float*;  // null outside

  const float* data;
  int64_t stride;
  int64_t lines;
  int64_t depth;

  __device__ Line Prepare(int64_t line) const { return line < lines ? data + line * stride : nullptr; }
  __device__ void Load(Line line, int64_t k, float* to) const {
    LoadVectorOrZero<kVector>(line != nullptr && k < depth, line + k, to);
  }
};

/// Element (line, k) is data[k * stride + line]. kVector is 1, or 4 where data, stride and lines are multiples of 4.
template <int kVector_>
struct LineMajorOperand {
  static constexpr bool kAlongDepth = false;
  static constexpr int kVector = kVector_;
  using Line = const float*;

  const float* data;
  int64_t stride;
  int64_t lines;
  int64_t depth;

  __device__ Line Prepare(int64_t line) const { return line < lines ? data + line : nullptr; }
  __device__ void Load(Line line, int64_t k, float* to) const {
    LoadVectorOrZero<kVector>(line != nullptr && k < depth, line + k * stride, to);
  }
};

/// Whether an array can be read four floats at a time.
inline bool IsVectorAligned(const float* data, int64_t stride, int64_t extent) {
  return reinterpret_cast<uintptr_t>(data) % sizeof(float4) == 0 && stride % 4 == 0 && extent % 4 == 0;
}

}  // namespace slim::cuda
