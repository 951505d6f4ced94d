#pragma once

#include <algorithm>
#include <cstdint>

#include "cuda/context.h"
#include "cuda/launch.h"
#include "cuda/ptx.h"
#include "cuda/token_groups.h"
#include "cuda/vector_access.h"

/// Sums by token of rows that need not lie in memory: what is summed at a position is up to the type Rows. Prepare does
/// once for a position what does not depend on the column, PrepareColumn the other way round, and Load reads kVector
/// neighbouring columns at once.
namespace slim::cuda {

/// Places in the order are cut into chunks. A run of one token within a chunk is summed at once; of one that passes the
/// chunk's beginning the sum goes to the chunk's first row of `open`, of one that passes only its end to the second.
inline constexpr int kTokenChunk = 128;

/// Floats of `open` for rows of `width`.
inline int64_t OpenSumFloats(int64_t count, int64_t width) {
  return std::max<int64_t>(1, (count + kTokenChunk - 1) / kTokenChunk) * 2 * width;
}

/// Where the sums go: the row of a token, in a table whose rows are `stride` floats apart.
struct TokenTable {
  float* table;
  int64_t stride;
  bool accumulate;
};

template <class Rows>
struct TokenSums {
  TokenOrder order;
  Rows rows;
  int64_t width;
  TokenTable table;
  float* open;  // [chunks, 2, width]

  __device__ void Write(uint32_t token, int64_t column, const float* sum) const {
    float* at = table.table + token * table.stride + column;
    float value[Rows::kVector];
#pragma unroll
    for (int i = 0; i < Rows::kVector; ++i) value[i] = table.accumulate ? at[i] + sum[i] : sum[i];
    StoreVector<Rows::kVector>(value, at);
  }
  __device__ float* Open(int64_t chunk, int which) const { return open + (chunk * 2 + which) * width; }
  __device__ bool RunPasses(int64_t place) const {
    return place > 0 && place < order.count && order.tokens[place - 1] == order.tokens[place];
  }
  // The place behind the run of `token`, one of whose places is `inside`.
  __device__ int64_t EndOfRun(uint32_t token, int64_t inside) const {
    int64_t low = inside, high = order.count;
    while (high - low > 1) {
      const int64_t middle = low + (high - low) / 2;
      (order.tokens[middle] == token ? low : high) = middle;
    }
    return high;
  }
};

inline constexpr int kMostSumThreads = 256;

template <class Rows>
__global__ void __launch_bounds__(kMostSumThreads) SumChunksKernel(const __grid_constant__ TokenSums<Rows> sums) {
  constexpr int kVector = Rows::kVector;
  constexpr int kAtOnce = 4;                                         // rows whose loads are under way together
  auto* places = SharedMemory<typename Rows::Place>();               // [kTokenChunk]
  auto* tokens = reinterpret_cast<uint32_t*>(places + kTokenChunk);  // [kTokenChunk]
  const int64_t chunk = blockIdx.x;
  const int64_t begin = chunk * kTokenChunk;
  const int count = static_cast<int>(min(int64_t{kTokenChunk}, sums.order.count - begin));
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
    places[i] = sums.rows.Prepare(sums.order.positions[begin + i]);
    tokens[i] = sums.order.tokens[begin + i];
  }
  const bool leaves = sums.RunPasses(begin + count);
  bool from_before = sums.RunPasses(begin);
  __syncthreads();
  const int64_t column = (int64_t{blockIdx.y} * blockDim.x + threadIdx.x) * kVector;
  if (column >= sums.width) return;
  const typename Rows::Column at = sums.rows.PrepareColumn(column);
  float sum[kVector] = {};
  for (int first = 0; first < count; first += kAtOnce) {
    float values[kAtOnce][kVector];
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) sums.rows.Load(places[min(first + i, count - 1)], at, values[i]);
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      const int place = first + i;
      if (place >= count) continue;
#pragma unroll
      for (int k = 0; k < kVector; ++k) sum[k] += values[i][k];
      const bool last = place + 1 == count;
      if (!last && tokens[place + 1] == tokens[place]) continue;
      if (from_before || (last && leaves)) {
        StoreVector<kVector>(sum, sums.Open(chunk, from_before ? 0 : 1) + column);
      } else {
        sums.Write(tokens[place], column, sum);
      }
      from_before = false;
#pragma unroll
      for (int k = 0; k < kVector; ++k) sum[k] = 0;
    }
  }
}

// A block joins 32 vectors of a run: warps take the later chunks in turn.
inline constexpr int kJoinWarps = 8;
inline constexpr int kJoinThreads = 32 * kJoinWarps;

/// The chunk in which a run begins adds up what the later ones have of it.
template <class Rows>
__global__ void __launch_bounds__(kJoinThreads) JoinChunksKernel(const __grid_constant__ TokenSums<Rows> sums) {
  constexpr int kVector = Rows::kVector;
  auto* parts = SharedMemory<float>();  // [kJoinWarps, 32, kVector]
  const int64_t chunk = blockIdx.x;
  const int64_t begin = chunk * kTokenChunk, end = min(begin + kTokenChunk, sums.order.count);
  if (!sums.RunPasses(end)) return;
  const uint32_t token = sums.order.tokens[end - 1];
  if (sums.order.tokens[begin] == token && sums.RunPasses(begin)) return;
  // The run goes on through all chunks that end with it too, and ends in the one after them.
  const int64_t last = (sums.EndOfRun(token, end) - 1) / kTokenChunk;
  const int warp = static_cast<int>(threadIdx.x / 32), lane = static_cast<int>(threadIdx.x % 32);
  const int64_t column = (int64_t{blockIdx.y} * 32 + lane) * kVector;
  const bool inside = column < sums.width;
  float sum[kVector] = {};
#pragma unroll 4
  for (int64_t next = chunk + 1 + warp; inside && next <= last; next += kJoinWarps) {
    float value[kVector];
    LoadVector<kVector>(sums.Open(next, 0) + column, value);
#pragma unroll
    for (int k = 0; k < kVector; ++k) sum[k] += value[k];
  }
  StoreVector<kVector>(sum, parts + (warp * 32 + lane) * kVector);
  __syncthreads();
  if (warp > 0 || !inside) return;
  LoadVector<kVector>(sums.Open(chunk, 1) + column, sum);
  for (int other = 0; other < kJoinWarps; ++other) {
#pragma unroll
    for (int k = 0; k < kVector; ++k) sum[k] += parts[(other * 32 + lane) * kVector + k];
  }
  sums.Write(token, column, sum);
}

/// The table's row of each token that occurs = the sum of its positions' rows, or becomes larger by it; other rows are
/// not touched. The sum's order depends on the tokens alone. `memory` is that of GroupTokens, for sums of this width.
/// kVector is 1, or 4 where the table, its stride and the width are multiples of 4 floats.
template <class Rows>
void SumByToken(const CudaContext& context, const TokenOrder& order, const Rows& rows, int64_t width,
                const TokenTable& table, void* memory) {
  if (order.count == 0 || width == 0) return;
  const TokenSums<Rows> sums{order, rows, width, table, OpenSums(order.count, memory)};
  const auto chunks = static_cast<unsigned int>((order.count + kTokenChunk - 1) / kTokenChunk);
  const int64_t vectors = width / Rows::kVector;
  const int64_t threads = std::min<int64_t>(kMostSumThreads, (vectors + 31) / 32 * 32);
  const auto tiles = [&](int64_t of) { return static_cast<unsigned int>((vectors + of - 1) / of); };
  Launch(&SumChunksKernel<Rows>,
         {.grid = dim3(chunks, tiles(threads)),
          .block = dim3(static_cast<unsigned int>(threads)),
          .shared_bytes = kTokenChunk * (sizeof(typename Rows::Place) + sizeof(uint32_t))},
         context.stream, sums);
  Launch(&JoinChunksKernel<Rows>,
         {.grid = dim3(chunks, tiles(32)),
          .block = dim3(kJoinThreads),
          .shared_bytes = kJoinThreads * Rows::kVector * sizeof(float)},
         context.stream, sums);
}

}  // namespace slim::cuda
