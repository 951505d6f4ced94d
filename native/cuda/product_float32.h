#pragma once

#include <cstdint>

#include "cuda/product_operand.h"
#include "cuda/product_result.h"
#include "cuda/ptx.h"

/// The product in float32 throughout: tiles of C in registers, tiles of A and B in shared memory, the next ones on
/// their way while these are multiplied. What A and B are is up to their types (product_operand.h).
namespace slim::cuda {

/// A block computes kRows x kColumns sums, each thread kThreadRows x kThreadColumns of them, in pieces of 4 x 4.
template <int kRows_, int kColumns_, int kThreadRows_, int kThreadColumns_>
struct Float32Tile {
  static constexpr int kRows = kRows_;
  static constexpr int kColumns = kColumns_;
  static constexpr int kThreadRows = kThreadRows_;
  static constexpr int kThreadColumns = kThreadColumns_;
  static constexpr int kThreadsAlongRows = kRows / kThreadRows;
  static constexpr int kThreadsAlongColumns = kColumns / kThreadColumns;
  static constexpr int kThreads = kThreadsAlongRows * kThreadsAlongColumns;
  // A row of a tile in shared memory is one step of the depth; the four floats more spread columns over the banks.
  static constexpr int kRowsPitch = kRows + 4;
  static constexpr int kColumnsPitch = kColumns + 4;
  static constexpr int kStageFloats = kTileDepth * (kRowsPitch + kColumnsPitch);
  static constexpr int kSharedBytes = 2 * kStageFloats * static_cast<int>(sizeof(float));
  static_assert(kThreadRows % 4 == 0 && kThreadColumns % 4 == 0 && kThreads % 32 == 0);
};

template <int kVector>
__device__ inline void LoadVectorOrZero(const float* from, float* to) {
  if constexpr (kVector == 4) {
    const float4 v = from != nullptr ? *reinterpret_cast<const float4*>(from) : float4{0, 0, 0, 0};
    to[0] = v.x, to[1] = v.y, to[2] = v.z, to[3] = v.w;
  } else {
    *to = from != nullptr ? *from : 0.0f;
  }
}

/// A thread's part of bringing kLines lines of an operand, kTileDepth deep, to shared memory by its registers.
template <class Operand, int kLines, int kPitch, int kThreads>
class TileLoader {
 public:
  __device__ TileLoader(const Operand& operand, int64_t first_line) : operand_(operand) {
#pragma unroll
    for (int i = 0; i < Share::kCount; ++i) lines_[i] = operand.Prepare(first_line + Share::Line(i));
  }

  __device__ void Fetch(int64_t first_depth) {
#pragma unroll
    for (int i = 0; i < Share::kCount; ++i) {
      LoadVectorOrZero<Share::kVector>(operand_.At(lines_[i], first_depth + Share::Depth(i)), values_[i]);
    }
  }

  __device__ void Store(float* tile) const {
#pragma unroll
    for (int i = 0; i < Share::kCount; ++i) {
      float* at = tile + Share::Depth(i) * kPitch + Share::Line(i);
#pragma unroll
      for (int part = 0; part < Share::kVector; ++part) {
        at[Operand::kAlongDepth ? part * kPitch : part] = values_[i][part];
      }
    }
  }

 private:
  using Share = TileShare<Operand, kLines, kTileDepth, kThreads>;

  const Operand& operand_;
  typename Operand::Line lines_[Share::kCount];
  float values_[Share::kCount][Share::kVector];
};

template <class Tile, class A, class B>
__global__ void __launch_bounds__(Tile::kThreads)
    Float32ProductKernel(const __grid_constant__ A a, const __grid_constant__ B b,
                         const __grid_constant__ ProductResult result, int64_t depth_of_part, float* parts) {
  float* shared = SharedMemory<float>();
  const BlockOfProduct block(result, Tile::kRows, Tile::kColumns, depth_of_part);
  TileLoader<A, Tile::kRows, Tile::kRowsPitch, Tile::kThreads> load_a(a, block.first_row);
  TileLoader<B, Tile::kColumns, Tile::kColumnsPitch, Tile::kThreads> load_b(b, block.first_column);
  const int thread_row = static_cast<int>(threadIdx.x) / Tile::kThreadsAlongColumns * 4;
  const int thread_column = static_cast<int>(threadIdx.x) % Tile::kThreadsAlongColumns * 4;
  constexpr int kRowStep = Tile::kThreadsAlongRows * 4, kColumnStep = Tile::kThreadsAlongColumns * 4;

  float sums[Tile::kThreadRows][Tile::kThreadColumns] = {};
  const auto tile_a = [&](int stage) { return shared + stage * Tile::kStageFloats; };
  const auto tile_b = [&](int stage) { return tile_a(stage) + kTileDepth * Tile::kRowsPitch; };
  const auto multiply = [&](int stage) {
    const float* from_a = tile_a(stage) + thread_row;
    const float* from_b = tile_b(stage) + thread_column;
#pragma unroll 4
    for (int k = 0; k < kTileDepth; ++k) {
      float left[Tile::kThreadRows], right[Tile::kThreadColumns];
#pragma unroll
      for (int i = 0; i < Tile::kThreadRows; i += 4) {
        const float4 v = *reinterpret_cast<const float4*>(from_a + k * Tile::kRowsPitch + i / 4 * kRowStep);
        left[i] = v.x, left[i + 1] = v.y, left[i + 2] = v.z, left[i + 3] = v.w;
      }
#pragma unroll
      for (int j = 0; j < Tile::kThreadColumns; j += 4) {
        const float4 v = *reinterpret_cast<const float4*>(from_b + k * Tile::kColumnsPitch + j / 4 * kColumnStep);
        right[j] = v.x, right[j + 1] = v.y, right[j + 2] = v.z, right[j + 3] = v.w;
      }
#pragma unroll
      for (int i = 0; i < Tile::kThreadRows; ++i) {
#pragma unroll
        for (int j = 0; j < Tile::kThreadColumns; ++j) sums[i][j] += left[i] * right[j];
      }
    }
  };
  // One tile further than are multiplied: the first time round there is nothing to multiply yet. So every part of the
  // loop, and of what follows it, is compiled once; the code of all instances is part of the package.
  int stage = 0;
  for (int64_t depth = block.begin - kTileDepth; depth < block.end; depth += kTileDepth) {
    const bool more = depth + kTileDepth < block.end;
    if (more) {
      load_a.Fetch(depth + kTileDepth);
      load_b.Fetch(depth + kTileDepth);
    }
    if (depth >= block.begin) multiply(stage);
    // The other stage was read before the last barrier.
    stage ^= 1;
    if (more) {
      load_a.Store(tile_a(stage));
      load_b.Store(tile_b(stage));
    }
    __syncthreads();
  }

  // A row of each thread at a time goes through shared memory, so that neighbours are written together.
  constexpr int kRowsAtATime = Tile::kThreadsAlongRows;
  static_assert(kRowsAtATime * Tile::kColumnsPitch <= 2 * Tile::kStageFloats);
#pragma unroll 1
  for (int i = 0; i < Tile::kThreadRows; ++i) {
    float* to = shared + thread_row / 4 * Tile::kColumnsPitch + thread_column;
#pragma unroll
    for (int own = 0; own < Tile::kThreadRows; ++own) {
      if (own != i) continue;
#pragma unroll
      for (int j = 0; j < Tile::kThreadColumns; j += 4) {
        const float* sum = sums[own] + j;
        *reinterpret_cast<float4*>(to + j / 4 * kColumnStep) = float4{sum[0], sum[1], sum[2], sum[3]};
      }
    }
    __syncthreads();
    const int64_t row = block.first_row + i / 4 * kRowStep + i % 4;
#pragma unroll 1
    for (int at = static_cast<int>(threadIdx.x); at < kRowsAtATime * Tile::kColumns; at += Tile::kThreads) {
      const int line = at / Tile::kColumns, column = at % Tile::kColumns;
      block.Write(result, row + 4 * line, column, shared[line * Tile::kColumnsPitch + column], parts);
    }
    __syncthreads();
  }
}

}  // namespace slim::cuda
