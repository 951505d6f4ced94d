#pragma once

#include <cstdint>

#include "cuda/context.h"
#include "cuda/launch.h"
#include "cuda/product_operand.h"
#include "cuda/ptx.h"

/// This library's own product, in float32: tiles of C in registers, tiles of A and B in shared memory, the next ones on
/// their way while these are multiplied. What A and B are is up to their types (product_operand.h).
namespace slim::cuda {

/// What becomes of the sums.
struct ProductResult {
  int64_t rows;
  int64_t columns;
  int64_t depth;
  float* c;
  int64_t c_stride;
  const float* bias;  // [columns] or null
  bool relu;
  bool accumulate;

  __device__ void Write(int64_t row, int64_t column, float sum) const {
    float* at = c + row * c_stride + column;
    if (accumulate) sum += *at;
    if (bias != nullptr) sum += bias[column];
    // The comparison keeps a sum that is not a number.
    *at = relu && sum < 0.0f ? 0.0f : sum;
  }
};

/// A block computes kRows x kColumns sums, each thread kThreadRows x kThreadColumns of them, in pieces of 4 x 4.
template <int kRows_, int kColumns_, int kThreadRows_, int kThreadColumns_>
struct ProductTile {
  static constexpr int kRows = kRows_;
  static constexpr int kColumns = kColumns_;
  static constexpr int kDepth = 16;
  static constexpr int kThreadRows = kThreadRows_;
  static constexpr int kThreadColumns = kThreadColumns_;
  static constexpr int kThreadsAlongRows = kRows / kThreadRows;
  static constexpr int kThreadsAlongColumns = kColumns / kThreadColumns;
  static constexpr int kThreads = kThreadsAlongRows * kThreadsAlongColumns;
  // A row of a tile in shared memory is one step of the depth; the four floats more spread columns over the banks.
  static constexpr int kRowsPitch = kRows + 4;
  static constexpr int kColumnsPitch = kColumns + 4;
  static constexpr int kStageFloats = kDepth * (kRowsPitch + kColumnsPitch);
  static constexpr int kSharedBytes = 2 * kStageFloats * static_cast<int>(sizeof(float));
  static_assert(kThreadRows % 4 == 0 && kThreadColumns % 4 == 0 && kThreads % 32 == 0);
};

using LargeTile = ProductTile<128, 128, 8, 8>;
using MediumTile = ProductTile<64, 64, 8, 4>;
using SmallTile = ProductTile<32, 32, 4, 4>;

/// A thread's part of bringing kExtent lines of an operand, kDepth deep, to shared memory.
template <class Operand, int kExtent, int kDepth, int kPitch, int kThreads>
class TileLoader {
 public:
  __device__ TileLoader(const Operand& operand, int64_t first_line) : operand_(operand) {
#pragma unroll
    for (int i = 0; i < kVectors; ++i) lines_[i] = operand.Prepare(first_line + Line(i));
  }

  __device__ void Fetch(int64_t first_depth) {
#pragma unroll
    for (int i = 0; i < kVectors; ++i) operand_.Load(lines_[i], first_depth + Depth(i), values_[i]);
  }

  __device__ void Store(float* tile) const {
#pragma unroll
    for (int i = 0; i < kVectors; ++i) {
      float* at = tile + Depth(i) * kPitch + Line(i);
#pragma unroll
      for (int part = 0; part < kVector; ++part) at[Operand::kAlongDepth ? part * kPitch : part] = values_[i][part];
    }
  }

 private:
  static constexpr int kVector = Operand::kVector;
  static constexpr int kVectors = kExtent * kDepth / kVector / kThreads;
  static_assert(kVectors * kVector * kThreads == kExtent * kDepth);

  // Neighbouring threads take neighbours in memory.
  __device__ static int Line(int i) {
    const int at = i * kThreads + static_cast<int>(threadIdx.x);
    return Operand::kAlongDepth ? at / (kDepth / kVector) : at % (kExtent / kVector) * kVector;
  }
  __device__ static int Depth(int i) {
    const int at = i * kThreads + static_cast<int>(threadIdx.x);
    return Operand::kAlongDepth ? at % (kDepth / kVector) * kVector : at / (kExtent / kVector);
  }

  const Operand& operand_;
  typename Operand::Line lines_[kVectors];
  float values_[kVectors][kVector];
};

/// Block x is a tile of C, counted along its columns first; block y a part of the depth. With more than one part the
/// sums go to `parts` [parts, rows, columns].
template <class Tile, class A, class B>
__global__ void __launch_bounds__(Tile::kThreads)
    ProductKernel(const __grid_constant__ A a, const __grid_constant__ B b,
                  const __grid_constant__ ProductResult result, int64_t depth_of_part, float* parts) {
  float* shared = SharedMemory<float>();
  const int64_t column_tiles = (result.columns + Tile::kColumns - 1) / Tile::kColumns;
  const int64_t row_tile = blockIdx.x / column_tiles;
  const int64_t first_row = row_tile * Tile::kRows;
  const int64_t first_column = (blockIdx.x - row_tile * column_tiles) * Tile::kColumns;
  const int64_t begin = blockIdx.y * depth_of_part;
  const int64_t end = min(begin + depth_of_part, result.depth);

  TileLoader<A, Tile::kRows, Tile::kDepth, Tile::kRowsPitch, Tile::kThreads> load_a(a, first_row);
  TileLoader<B, Tile::kColumns, Tile::kDepth, Tile::kColumnsPitch, Tile::kThreads> load_b(b, first_column);
  const int thread_row = static_cast<int>(threadIdx.x) / Tile::kThreadsAlongColumns * 4;
  const int thread_column = static_cast<int>(threadIdx.x) % Tile::kThreadsAlongColumns * 4;
  constexpr int kRowStep = Tile::kThreadsAlongRows * 4, kColumnStep = Tile::kThreadsAlongColumns * 4;

  float sums[Tile::kThreadRows][Tile::kThreadColumns] = {};
  const auto tile_a = [&](int stage) { return shared + stage * Tile::kStageFloats; };
  const auto tile_b = [&](int stage) { return tile_a(stage) + Tile::kDepth * Tile::kRowsPitch; };
  if (begin < end) {
    load_a.Fetch(begin);
    load_b.Fetch(begin);
    load_a.Store(tile_a(0));
    load_b.Store(tile_b(0));
  }
  int stage = 0;
  for (int64_t depth = begin; depth < end; depth += Tile::kDepth) {
    __syncthreads();
    const bool more = depth + Tile::kDepth < end;
    if (more) {
      load_a.Fetch(depth + Tile::kDepth);
      load_b.Fetch(depth + Tile::kDepth);
    }
    const float* from_a = tile_a(stage) + thread_row;
    const float* from_b = tile_b(stage) + thread_column;
    // Not unrolled further: the code of all instances is part of the package.
#pragma unroll 4
    for (int k = 0; k < Tile::kDepth; ++k) {
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
    // The other stage was read before the barrier above.
    stage ^= 1;
    if (more) {
      load_a.Store(tile_a(stage));
      load_b.Store(tile_b(stage));
    }
  }

#pragma unroll
  for (int i = 0; i < Tile::kThreadRows; ++i) {
    const int64_t row = first_row + thread_row + i / 4 * kRowStep + i % 4;
    if (row >= result.rows) continue;
#pragma unroll
    for (int j = 0; j < Tile::kThreadColumns; ++j) {
      const int64_t column = first_column + thread_column + j / 4 * kColumnStep + j % 4;
      if (column >= result.columns) continue;
      if (gridDim.y == 1) {
        result.Write(row, column, sums[i][j]);
      } else {
        parts[(blockIdx.y * result.rows + row) * result.columns + column] = sums[i][j];
      }
    }
  }
}

/// How a product is cut.
struct ProductCut {
  int64_t tiles;
  int64_t parts;
  int64_t depth_of_part;
};

/// Parts of the depth, so that tiles times parts keep the device busy and the parts' sums fit the workspace.
ProductCut CutProduct(const CudaContext& context, const ProductResult& result, int tile_rows, int tile_columns);

/// C from the sums of the parts, in rising order.
void AddParts(const CudaContext& context, const ProductResult& result, int64_t parts);

template <class Tile, class A, class B>
void MultiplyInTiles(const CudaContext& context, const A& a, const B& b, const ProductResult& result) {
  const ProductCut cut = CutProduct(context, result, Tile::kRows, Tile::kColumns);
  const LaunchShape shape{.grid = dim3(static_cast<unsigned int>(cut.tiles), static_cast<unsigned int>(cut.parts)),
                          .block = dim3(Tile::kThreads),
                          .shared_bytes = Tile::kSharedBytes};
  Launch(&ProductKernel<Tile, A, B>, shape, context.stream, a, b, result, cut.depth_of_part,
         static_cast<float*>(context.workspace));
  if (cut.parts > 1) AddParts(context, result, cut.parts);
}

/// The largest tile that still gives each multiprocessor work; one for all sizes where the operands are read element by
/// element.
template <class A, class B>
void MultiplyOperands(const CudaContext& context, const A& a, const B& b, const ProductResult& result) {
  if (result.rows == 0 || result.columns == 0) return;
  if constexpr (A::kVector == 1 || B::kVector == 1) {
    MultiplyInTiles<MediumTile>(context, a, b, result);
  } else {
    const auto serves = [&](int tile_rows, int tile_columns) {
      const ProductCut cut = CutProduct(context, result, tile_rows, tile_columns);
      return result.rows > tile_rows / 2 && result.columns > tile_columns / 2 &&
             cut.tiles * cut.parts >= context.device.multiprocessors;
    };
    if (serves(LargeTile::kRows, LargeTile::kColumns)) {
      MultiplyInTiles<LargeTile>(context, a, b, result);
    } else if (serves(MediumTile::kRows, MediumTile::kColumns)) {
      MultiplyInTiles<MediumTile>(context, a, b, result);
    } else {
      MultiplyInTiles<SmallTile>(context, a, b, result);
    }
  }
}

}  // namespace slim::cuda
