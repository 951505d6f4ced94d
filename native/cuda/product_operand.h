#pragma once

#include <cuda_runtime.h>

#include <cstdint>

/// Where the elements of a product's operand come from. An operand has lines (rows of A, columns of B), each `depth`
/// elements long; kVector neighbours are read at once, along the depth or along the lines. Prepare does once for a line
/// what does not depend on the depth; At tells where a vector lies, null where it is outside: there elements are 0.
namespace slim::cuda {

/// How the threads of a block share out a tile of an operand: kCount vectors for each of them.
template <class Operand, int kLines, int kDepth, int kThreads>
struct TileShare {
  static constexpr int kVector = Operand::kVector;
  static constexpr int kCount = kLines * kDepth / kVector / kThreads;
  static_assert(kCount * kVector * kThreads == kLines * kDepth);

  // Neighbouring threads take neighbours in memory.
  __device__ static int Line(int i) {
    const int at = i * kThreads + static_cast<int>(threadIdx.x);
    return Operand::kAlongDepth ? at / (kDepth / kVector) : at % (kLines / kVector) * kVector;
  }
  __device__ static int Depth(int i) {
    const int at = i * kThreads + static_cast<int>(threadIdx.x);
    return Operand::kAlongDepth ? at % (kDepth / kVector) * kVector : at / (kLines / kVector);
  }
};

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
  __device__ const float* At(Line line, int64_t k) const { return line != nullptr && k < depth ? line + k : nullptr; }
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
  __device__ const float* At(Line line, int64_t k) const {
    return line != nullptr && k < depth ? line + k * stride : nullptr;
  }
};

}  // namespace slim::cuda
