#pragma once

#include <cstdint>

#include "backend.h"
#include "cuda/product_operand.h"
#include "cuda/product_result.h"
#include "cuda/ptx.h"

/// The product on the matrix units: operands are copied to shared memory as they are, rounded to tf32 or bfloat16 when
/// a warp takes its fragments of them, and summed in float32. Needs compute capability 8.0.
namespace slim::cuda {

/// The instruction of a precision. A lane holds pairs of neighbours along the depth, kPairs of them of each line, eight
/// elements apart: g = lane / 4 is its line, 2 (lane % 4) its first element.
///
/// Which element of the depth the instruction takes for which does not matter, as long as both operands agree. So
/// tf32's elements t and t + 4 (ptx.h) are here the neighbours 2t and 2t + 1, and are read at once, as bfloat16's are.
template <Precision kPrecision>
struct MatrixUnits;

template <>
struct MatrixUnits<Precision::kTf32> {
  static constexpr int kPairs = 1;
  using TileA = Tf32TileA;
  using TileB = Tf32TileB;

  __device__ static TileA RoundA(const float2* upper, const float2* lower) {
    return {{ToTf32(upper->x), ToTf32(lower->x), ToTf32(upper->y), ToTf32(lower->y)}};
  }
  __device__ static TileB RoundB(const float2* pair) { return {{ToTf32(pair->x), ToTf32(pair->y)}}; }
};

template <>
struct MatrixUnits<Precision::kBfloat16> {
  static constexpr int kPairs = 2;
  using TileA = Bf16TileA;
  using TileB = Bf16TileB;

  __device__ static uint32_t Round(const float2& pair) { return ToBf16Pair(pair.x, pair.y); }
  __device__ static TileA RoundA(const float2* upper, const float2* lower) {
    return {{Round(upper[0]), Round(lower[0]), Round(upper[1]), Round(lower[1])}};
  }
  __device__ static TileB RoundB(const float2* pairs) { return {{Round(pairs[0]), Round(pairs[1])}}; }
};

/// A block computes kRows x kColumns sums, each warp kWarpRows x kWarpColumns of them, in pieces of 16 x 8.
template <int kRows_, int kColumns_, int kWarpRows_, int kWarpColumns_>
struct MatrixTile {
  static constexpr int kRows = kRows_;
  static constexpr int kColumns = kColumns_;
  static constexpr int kWarpRows = kWarpRows_;
  static constexpr int kWarpColumns = kWarpColumns_;
  static constexpr int kWarpsAlongColumns = kColumns / kWarpColumns;
  static constexpr int kThreads = 32 * (kRows / kWarpRows) * kWarpsAlongColumns;
  static_assert(kWarpRows % 16 == 0 && kWarpColumns % 8 == 0);
};

/// A tile of an operand in shared memory, which lies there as the operand does. The pitches let a warp read its pairs
/// without two lanes meeting in a bank. Along the depth, a half warp reads eight floats of each of four lines, which
/// fill all banks where the pitch is 8 modulo 16; along the lines, a warp reads eight lines at each of four steps of
/// the depth, two apart, which do so where it is 4 modulo 16.
template <class Operand, int kLines>
struct SharedTile {
  static constexpr int kPitch = Operand::kAlongDepth ? kTileDepth + 8 : kLines + 4;
  static constexpr int kFloats = (Operand::kAlongDepth ? kLines : kTileDepth) * kPitch;
  static_assert(kTileDepth % 16 == 0 && kLines % 16 == 0);

  __device__ static int At(int line, int k) { return Operand::kAlongDepth ? line * kPitch + k : k * kPitch + line; }

  /// Elements (line, k + 8 i) and (line, k + 8 i + 1).
  template <int kPairs>
  __device__ static void LoadPairs(const float* tile, int line, int k, float2 (&pairs)[kPairs]) {
#pragma unroll
    for (int i = 0; i < kPairs; ++i) {
      const float* at = tile + At(line, k + 8 * i);
      if constexpr (Operand::kAlongDepth) {
        pairs[i] = *reinterpret_cast<const float2*>(at);
      } else {
        pairs[i] = {at[0], at[kPitch]};
      }
    }
  }
};

/// A thread's part of copying kLines lines of an operand, kTileDepth deep, to shared memory.
template <class Operand, int kLines, int kThreads>
class TileCopier {
 public:
  __device__ TileCopier(const Operand& operand, int64_t first_line) : operand_(operand) {
#pragma unroll
    for (int i = 0; i < Share::kCount; ++i) lines_[i] = operand.Prepare(first_line + Share::Line(i));
  }

  /// The copies belong to the group that the thread commits next.
  __device__ void Copy(int64_t first_depth, float* tile) const {
#pragma unroll
    for (int i = 0; i < Share::kCount; ++i) {
      const float* from = operand_.At(lines_[i], first_depth + Share::Depth(i));
      float* to = tile + SharedTile<Operand, kLines>::At(Share::Line(i), Share::Depth(i));
      if (from != nullptr) {
        CopyAsync<Share::kVector* static_cast<int>(sizeof(float))>(to, from);
      } else if constexpr (Share::kVector == 4) {
        *reinterpret_cast<float4*>(to) = float4{0, 0, 0, 0};
      } else {
        *to = 0.0f;
      }
    }
  }

 private:
  using Share = TileShare<Operand, kLines, kTileDepth, kThreads>;

  const Operand& operand_;
  typename Operand::Line lines_[Share::kCount];
};

template <Precision kPrecision, class Tile, class A, class B>
struct MatrixProduct {
  using Units = MatrixUnits<kPrecision>;
  using SharedA = SharedTile<A, Tile::kRows>;
  using SharedB = SharedTile<B, Tile::kColumns>;
  static constexpr int kStageFloats = SharedA::kFloats + SharedB::kFloats;
  static constexpr int kSharedBytes = 2 * kStageFloats * static_cast<int>(sizeof(float));
  // Sixteen rows of a warp's sums on their way to C; the pitch keeps lanes that store pairs in banks of their own.
  static constexpr int kRowPitch = Tile::kWarpColumns + 8;
  static constexpr int kRowsFloats = 16 * kRowPitch;
  static_assert(kRowsFloats * (Tile::kThreads / 32) <= 2 * kStageFloats);
  static constexpr int kTilesDown = Tile::kWarpRows / 16;
  static constexpr int kTilesAcross = Tile::kWarpColumns / 8;

  /// Adds the product of the tiles in shared memory to the warp's sums; the lane's first line of A is `row`, of B
  /// `column`.
  __device__ static void AddTiles(const float* tile_a, const float* tile_b, int row, int column,
                                  TileSums (&sums)[kTilesDown][kTilesAcross]) {
    const int pair = static_cast<int>(threadIdx.x) % 4 * 2;
#pragma unroll
    for (int k = 0; k < kTileDepth; k += 8 * Units::kPairs) {
      typename Units::TileB right[kTilesAcross];
#pragma unroll
      for (int j = 0; j < kTilesAcross; ++j) {
        float2 pairs[Units::kPairs];
        SharedB::LoadPairs(tile_b, column + 8 * j, k + pair, pairs);
        right[j] = Units::RoundB(pairs);
      }
#pragma unroll
      for (int i = 0; i < kTilesDown; ++i) {
        float2 upper[Units::kPairs], lower[Units::kPairs];
        SharedA::LoadPairs(tile_a, row + 16 * i, k + pair, upper);
        SharedA::LoadPairs(tile_a, row + 16 * i + 8, k + pair, lower);
        const typename Units::TileA left = Units::RoundA(upper, lower);
#pragma unroll
        for (int j = 0; j < kTilesAcross; ++j) MultiplyAdd(sums[i][j], left, right[j]);
      }
    }
  }
};

template <Precision kPrecision, class Tile, class A, class B>
__global__ void __launch_bounds__(Tile::kThreads)
    MatrixProductKernel(const __grid_constant__ A a, const __grid_constant__ B b,
                        const __grid_constant__ ProductResult result, int64_t depth_of_part, float* parts) {
  using Product = MatrixProduct<kPrecision, Tile, A, B>;
  NeedMatrixUnits();
  float* shared = SharedMemory<float>();
  const BlockOfProduct block(result, Tile::kRows, Tile::kColumns, depth_of_part);
  const TileCopier<A, Tile::kRows, Tile::kThreads> copy_a(a, block.first_row);
  const TileCopier<B, Tile::kColumns, Tile::kThreads> copy_b(b, block.first_column);
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int warp_row = warp / Tile::kWarpsAlongColumns * Tile::kWarpRows;
  const int warp_column = warp % Tile::kWarpsAlongColumns * Tile::kWarpColumns;

  TileSums sums[Product::kTilesDown][Product::kTilesAcross] = {};
  const auto tile_a = [&](int stage) { return shared + stage * Product::kStageFloats; };
  const auto tile_b = [&](int stage) { return tile_a(stage) + Product::SharedA::kFloats; };
  const auto copy = [&](int64_t depth, int stage) {
    copy_a.Copy(depth, tile_a(stage));
    copy_b.Copy(depth, tile_b(stage));
    CommitCopies();
  };
  // As in float32 (product_float32.h), one tile further than are multiplied, and every part is compiled once.
  int stage = 0;
  for (int64_t depth = block.begin - kTileDepth; depth < block.end; depth += kTileDepth) {
    WaitCopies<0>();
    // Behind it this stage is there, and nobody reads the other one any more.
    __syncthreads();
    if (depth + kTileDepth < block.end) copy(depth + kTileDepth, stage ^ 1);
    if (depth >= block.begin) {
      Product::AddTiles(tile_a(stage), tile_b(stage), warp_row + lane / 4, warp_column + lane / 4, sums);
    }
    stage ^= 1;
  }

  // Sixteen rows of a warp at a time go through its part of the shared memory, so that neighbours are written together.
  __syncthreads();
  float* rows = shared + warp * Product::kRowsFloats;
#pragma unroll 1
  for (int i = 0; i < Product::kTilesDown; ++i) {
    float* to = rows + lane / 4 * Product::kRowPitch + lane % 4 * 2;
#pragma unroll
    for (int own = 0; own < Product::kTilesDown; ++own) {
      if (own != i) continue;
#pragma unroll
      for (int j = 0; j < Product::kTilesAcross; ++j) {
        const float* sum = sums[own][j].value;
        *reinterpret_cast<float2*>(to + 8 * j) = float2{sum[0], sum[1]};
        *reinterpret_cast<float2*>(to + 8 * j + 8 * Product::kRowPitch) = float2{sum[2], sum[3]};
      }
    }
    __syncwarp();
    const int64_t row = block.first_row + warp_row + 16 * i;
#pragma unroll 1
    for (int at = lane; at < 16 * Tile::kWarpColumns; at += 32) {
      const int line = at / Tile::kWarpColumns, column = at % Tile::kWarpColumns;
      block.Write(result, row + line, warp_column + column, rows[line * Product::kRowPitch + column], parts);
    }
    __syncwarp();
  }
}

}  // namespace slim::cuda
