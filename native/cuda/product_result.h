#pragma once

#include <cstdint>

#include "cuda/context.h"

/// What becomes of a product's sums, and how the product is cut into blocks, whatever kernel computes it.
namespace slim::cuda {

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

/// A block's tile of C and part [begin, end) of the depth. Block x is the tile, counted along C's columns first; block
/// y the part. With more than one part the sums go to `parts` [parts, rows, columns].
struct BlockOfProduct {
  int64_t first_row;
  int64_t first_column;
  int64_t begin;
  int64_t end;

  __device__ BlockOfProduct(const ProductResult& result, int tile_rows, int tile_columns, int64_t depth_of_part) {
    const int64_t column_tiles = (result.columns + tile_columns - 1) / tile_columns;
    const int64_t row_tile = blockIdx.x / column_tiles;
    first_row = row_tile * tile_rows;
    first_column = (blockIdx.x - row_tile * column_tiles) * tile_columns;
    begin = blockIdx.y * depth_of_part;
    end = min(begin + depth_of_part, result.depth);
  }

  /// The sum of a row of C and a column of the tile, which may both lie beyond C.
  __device__ void Write(const ProductResult& result, int64_t row, int column_of_tile, float sum, float* parts) const {
    const int64_t column = first_column + column_of_tile;
    if (row >= result.rows || column >= result.columns) return;
    if (gridDim.y == 1) {
      result.Write(row, column, sum);
    } else {
      parts[(blockIdx.y * result.rows + row) * result.columns + column] = sum;
    }
  }
};

/// How a product is cut.
struct ProductCut {
  int64_t tiles;
  int64_t parts;
  int64_t depth_of_part;
};

/// Parts of the depth, so that tiles times parts keep the device busy and the parts' sums fit the workspace. A part is
/// a multiple of kTileDepth deep.
ProductCut CutProduct(const CudaContext& context, const ProductResult& result, int tile_rows, int tile_columns);

/// Elements of the depth that every kernel brings to shared memory at a time.
inline constexpr int kTileDepth = 16;

/// C from the sums of the parts, in rising order.
void AddParts(const CudaContext& context, const ProductResult& result, int64_t parts);

}  // namespace slim::cuda
