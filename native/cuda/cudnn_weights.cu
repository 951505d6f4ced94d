#include "cuda/cudnn_weights.h"
#include "cuda/launch.h"
#include "cuda/ptx.h"

namespace slim::cuda {
namespace {

constexpr int kTile = 32;
constexpr int kTileRows = 8;       // rows of threads: each thread moves kTile / kTileRows elements
constexpr int kPitch = kTile + 1;  // of a tile in shared memory, so that its columns lie in different banks
constexpr int64_t kMostBlocks = 2048;

int64_t Tiles(int64_t size) { return (size + kTile - 1) / kTile; }

// Tiles go through shared memory, so that both sides are read and written along their rows.
__global__ void __launch_bounds__(kTile* kTileRows)
    TransposeKernel(const float* source, int64_t source_stride, int64_t rows, int64_t columns, float* destination,
                    int64_t destination_stride, int64_t tiles, int64_t column_tiles) {
  float* tile = SharedMemory<float>();
  for (int64_t index = blockIdx.x; index < tiles; index += gridDim.x) {
    const int64_t first_row = index / column_tiles * kTile;
    const int64_t first_column = index % column_tiles * kTile;
    for (int i = static_cast<int>(threadIdx.y); i < kTile; i += kTileRows) {
      const int64_t row = first_row + i;
      const int64_t column = first_column + threadIdx.x;
      if (row < rows && column < columns) tile[i * kPitch + threadIdx.x] = source[row * source_stride + column];
    }
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.y); i < kTile; i += kTileRows) {
      const int64_t row = first_row + threadIdx.x;
      const int64_t column = first_column + i;
      if (row < rows && column < columns) {
        destination[column * destination_stride + row] = tile[threadIdx.x * kPitch + i];
      }
    }
    __syncthreads();
  }
}

}  // namespace

void CopyTransposed(const float* source, int64_t source_stride, int64_t rows, int64_t columns, float* destination,
                    int64_t destination_stride, CUstream_st* stream) {
  const int64_t column_tiles = Tiles(columns);
  const int64_t tiles = Tiles(rows) * column_tiles;
  if (tiles == 0) return;
  const auto blocks = static_cast<unsigned int>(tiles < kMostBlocks ? tiles : kMostBlocks);
  Launch(&TransposeKernel,
         {.grid = blocks, .block = dim3(kTile, kTileRows), .shared_bytes = kTile * kPitch * sizeof(float)}, stream,
         source, source_stride, rows, columns, destination, destination_stride, tiles, column_tiles);
}

}  // namespace slim::cuda
