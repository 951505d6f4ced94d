#include <algorithm>

#include "cuda/column_sums.h"
#include "cuda/launch.h"
#include "cuda/ptx.h"

namespace slim::cuda {
namespace {

// A block sums 32 columns over its share of the rows: warps take rows in turn, lanes are columns.
constexpr int kColumns = 32;
constexpr int kWarps = 8;
constexpr int kThreads = kColumns * kWarps;

__global__ void __launch_bounds__(kThreads)
    PartKernel(const float* x, int64_t rows, int64_t columns, int64_t stride, int64_t rows_of_part, double* parts) {
  double* warp_sums = SharedMemory<double>();
  const int lane = static_cast<int>(threadIdx.x) % kColumns, warp = static_cast<int>(threadIdx.x) / kColumns;
  const int64_t column = int64_t{blockIdx.x} * kColumns + lane;
  const int64_t begin = blockIdx.y * rows_of_part;
  const int64_t end = min(begin + rows_of_part, rows);
  double sum = 0;
  if (column < columns) {
    // Four rows at once in single precision, so that as many loads are under way.
    int64_t row = begin + warp;
    for (; row + 3 * kWarps < end; row += 4 * kWarps) {
      const float* at = x + row * stride + column;
      const float a = at[0], b = at[kWarps * stride], c = at[2 * kWarps * stride], d = at[3 * kWarps * stride];
      sum += (a + b) + (c + d);
    }
    for (; row < end; row += kWarps) sum += x[row * stride + column];
  }
  warp_sums[threadIdx.x] = sum;
  __syncthreads();
  if (warp == 0 && column < columns) {
    for (int other = 1; other < kWarps; ++other) sum += warp_sums[other * kColumns + lane];
    parts[blockIdx.y * columns + column] = sum;
  }
}

__global__ void __launch_bounds__(kThreads)
    FinishKernel(const double* parts, int64_t part_count, int64_t columns, float* sums) {
  const int64_t column = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (column >= columns) return;
  double sum = 0;
  for (int64_t part = 0; part < part_count; ++part) sum += parts[part * columns + column];
  sums[column] = static_cast<float>(sum);
}

__global__ void __launch_bounds__(kThreads)
    RowSumsKernel(const float* x, int64_t rows, int64_t columns, int64_t stride, float* sums) {
  const int lane = static_cast<int>(threadIdx.x) % kColumns;
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / kColumns;
  double sum = 0;
  if (row < rows) {
    for (int64_t column = lane; column < columns; column += kColumns) sum += x[row * stride + column];
  }
  for (int lanes = kColumns / 2; lanes > 0; lanes /= 2) sum += __shfl_down_sync(0xFFFFFFFFu, sum, lanes);
  if (lane == 0 && row < rows) sums[row] = static_cast<float>(sum);
}

unsigned int Blocks(int64_t count, int per_block) {
  return static_cast<unsigned int>((count + per_block - 1) / per_block);
}

}  // namespace

void ColumnSums(const CudaContext& context, const float* x, int64_t rows, int64_t columns, int64_t stride,
                float* sums) {
  if (columns == 0) return;
  constexpr int64_t kLeastRows = 64;
  const unsigned int column_blocks = Blocks(columns, kColumns);
  const int64_t fitting = static_cast<int64_t>(context.workspace_bytes / sizeof(double)) / columns;
  const int64_t wanted = (4 * context.device.multiprocessors + column_blocks - 1) / column_blocks;
  const int64_t most = std::min<int64_t>({wanted, (rows + kLeastRows - 1) / kLeastRows, fitting, 65535});
  const int64_t rows_of_part = (rows + std::max<int64_t>(most, 1) - 1) / std::max<int64_t>(most, 1);
  const int64_t parts = rows == 0 ? 1 : (rows + rows_of_part - 1) / rows_of_part;
  auto* memory = static_cast<double*>(context.workspace);
  Launch(&PartKernel,
         {.grid = dim3(column_blocks, static_cast<unsigned int>(parts)),
          .block = kThreads,
          .shared_bytes = kThreads * sizeof(double)},
         context.stream, x, rows, columns, stride, rows_of_part, memory);
  Launch(&FinishKernel, {.grid = Blocks(columns, kThreads), .block = kThreads}, context.stream, memory, parts, columns,
         sums);
}

void RowSums(const CudaContext& context, const float* x, int64_t rows, int64_t columns, int64_t stride, float* sums) {
  if (rows == 0) return;
  Launch(&RowSumsKernel, {.grid = Blocks(rows, kWarps), .block = kThreads}, context.stream, x, rows, columns, stride,
         sums);
}

}  // namespace slim::cuda
