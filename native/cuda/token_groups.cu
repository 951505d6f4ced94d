#include <algorithm>
#include <utility>

#include "cuda/launch.h"
#include "cuda/placement.h"
#include "cuda/ptx.h"
#include "cuda/token_groups.h"
#include "cuda/token_sums.h"
#include "errors.h"

namespace slim::cuda {
namespace {

// --- sorting ---------------------------------------------------------------------------------------------------------

// A radix sort from the lowest digit, each pass of which keeps the order of equals. A block takes a tile of tokens, its
// warps neighbouring parts of the tile, and a warp 32 tokens at a time.
constexpr int kDigitBits = 8;
constexpr int kDigits = 1 << kDigitBits;
constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr int kRounds = 8;
constexpr int kTile = kThreads * kRounds;
static_assert(kThreads == kDigits, "a thread for each digit");

constexpr unsigned int kAllLanes = 0xFFFFFFFFu;

__device__ inline int64_t FirstOfWarp() { return int64_t{blockIdx.x} * kTile + threadIdx.x / 32 * (32 * kRounds); }

__device__ inline unsigned int DigitOf(uint32_t token, int shift) { return token >> shift & (kDigits - 1); }

// counts[digit * blocks + block]: so many tokens of the block's tile have the digit.
__global__ void __launch_bounds__(kThreads)
    CountDigitsKernel(const uint32_t* tokens, int64_t count, int shift, uint32_t* counts) {
  auto* digits = SharedMemory<uint32_t>();
  digits[threadIdx.x] = 0;
  __syncthreads();
  const int64_t first = int64_t{blockIdx.x} * kTile;
  for (int64_t i = first + threadIdx.x; i < min(first + kTile, count); i += kThreads) {
    atomicAdd(digits + DigitOf(tokens[i], shift), 1u);
  }
  __syncthreads();
  counts[int64_t{threadIdx.x} * gridDim.x + blockIdx.x] = digits[threadIdx.x];
}

// In one block: each count becomes the sum of those before it. A thread has a stretch of its own.
constexpr int kScanThreads = 1024;

__global__ void __launch_bounds__(kScanThreads) ScanKernel(uint32_t* counts, int64_t count) {
  auto* sums = SharedMemory<uint32_t>();
  const int64_t stretch = (count + kScanThreads - 1) / kScanThreads;
  const int64_t begin = min(threadIdx.x * stretch, count), end = min(begin + stretch, count);
  uint32_t own = 0;
  for (int64_t i = begin; i < end; ++i) own += counts[i];
  sums[threadIdx.x] = own;
  for (int by = 1; by < kScanThreads; by *= 2) {
    __syncthreads();
    const uint32_t before = static_cast<int>(threadIdx.x) >= by ? sums[threadIdx.x - by] : 0;
    __syncthreads();
    sums[threadIdx.x] += before;
  }
  uint32_t sum = sums[threadIdx.x] - own;
  for (int64_t i = begin; i < end; ++i) {
    const uint32_t here = counts[i];
    counts[i] = sum;
    sum += here;
  }
}

// `from_positions` null: a token's position is its place.
__global__ void __launch_bounds__(kThreads)
    ScatterKernel(const uint32_t* from_tokens, const int32_t* from_positions, int64_t count, int shift,
                  const uint32_t* starts, uint32_t* to_tokens, int32_t* to_positions) {
  auto* counters = SharedMemory<uint32_t>();  // [kWarps, kDigits]
  const int warp = static_cast<int>(threadIdx.x / 32), lane = static_cast<int>(threadIdx.x % 32);
  for (int w = 0; w < kWarps; ++w) counters[w * kDigits + threadIdx.x] = 0;
  __syncthreads();
  uint32_t* own = counters + warp * kDigits;
  const int64_t first = FirstOfWarp() + lane;
  unsigned int ranks[kRounds];
#pragma unroll
  for (int round = 0; round < kRounds; ++round) {
    const int64_t i = first + round * 32;
    // Lanes without a token share a digit that there is not.
    const unsigned int digit = i < count ? DigitOf(from_tokens[i], shift) : kDigits;
    const unsigned int same = __match_any_sync(kAllLanes, digit);
    const auto before = static_cast<unsigned int>(__popc(same & ((1u << lane) - 1)));
    const unsigned int seen = digit < kDigits ? own[digit] : 0;
    ranks[round] = seen + before;
    __syncwarp();
    if (before == 0 && digit < kDigits) own[digit] = seen + static_cast<unsigned int>(__popc(same));
    __syncwarp();
  }
  __syncthreads();
  // The digit's first place for each warp: the block's, and then warp after warp.
  uint32_t place = starts[int64_t{threadIdx.x} * gridDim.x + blockIdx.x];
  for (int w = 0; w < kWarps; ++w) {
    uint32_t& counter = counters[w * kDigits + threadIdx.x];
    const uint32_t here = counter;
    counter = place;
    place += here;
  }
  __syncthreads();
#pragma unroll
  for (int round = 0; round < kRounds; ++round) {
    const int64_t i = first + round * 32;
    if (i >= count) continue;
    const uint32_t token = from_tokens[i];
    const int64_t to = int64_t{own[DigitOf(token, shift)]} + ranks[round];
    to_tokens[to] = token;
    to_positions[to] = from_positions == nullptr ? static_cast<int32_t>(i) : from_positions[i];
  }
}

// --- sums ------------------------------------------------------------------------------------------------------------

// Rows as they lie, one for each position.
template <int kVector_>
struct RowsInMemory {
  static constexpr int kVector = kVector_;
  using Place = const float*;
  using Column = int64_t;

  const float* rows;
  int64_t stride;

  __device__ Place Prepare(int64_t position) const { return rows + position * stride; }
  __device__ Column PrepareColumn(int64_t column) const { return column; }
  __device__ void Load(Place place, Column column, float* to) const { LoadVector<kVector>(place + column, to); }
};

template <int kVector>
void SumRows(const CudaContext& context, const TokenOrder& order, const StridedRows& rows, bool accumulate,
             void* memory) {
  SumByToken(context, order, RowsInMemory<kVector>{rows.rows, rows.row_stride}, rows.width,
             {rows.table, rows.table_stride, accumulate}, memory);
}

// --- memory ----------------------------------------------------------------------------------------------------------

int64_t Blocks(int64_t count, int64_t per_block) { return std::max<int64_t>(1, (count + per_block - 1) / per_block); }

// Where things lie in the memory: two orders, counts of digits, open sums.
struct Layout {
  Placement placement;
  uint32_t* tokens[2];
  int32_t* positions[2];
  uint32_t* counts;
  float* open;

  Layout(int64_t count, int64_t width, void* memory) : placement(memory) {
    for (uint32_t*& array : tokens) array = placement.Take<uint32_t>(count);
    for (int32_t*& array : positions) array = placement.Take<int32_t>(count);
    counts = placement.Take<uint32_t>(Blocks(count, kTile) * kDigits);
    open = placement.Take<float>(OpenSumFloats(count, width));
  }
};

int DigitsFor(int64_t vocabulary) {
  int digits = 1;
  while (digits < 4 && (int64_t{1} << (digits * kDigitBits)) < vocabulary) ++digits;
  return digits;
}

}  // namespace

size_t TokenGroupsBytes(int64_t count, int64_t width) { return Layout(count, width, nullptr).placement.bytes(); }

float* OpenSums(int64_t count, void* memory) { return Layout(count, 0, memory).open; }

TokenOrder GroupTokens(const CudaContext& context, const int32_t* tokens, int64_t count, int64_t vocabulary,
                       void* memory) {
  if (count > INT32_MAX) {
    throw Error(ErrorCode::kInvalidModel,
                "Expected at most 2147483647 tokens in a batch but received " + std::to_string(count));
  }
  const Layout layout(count, 0, memory);
  const auto blocks = static_cast<unsigned int>(Blocks(count, kTile));
  // Ids are not negative.
  auto* from_tokens = reinterpret_cast<const uint32_t*>(tokens);
  const int32_t* from_positions = nullptr;
  int to = 0;
  for (int digit = 0; digit < DigitsFor(vocabulary); ++digit) {
    const int shift = digit * kDigitBits;
    Launch(&CountDigitsKernel, {.grid = blocks, .block = kThreads, .shared_bytes = kDigits * sizeof(uint32_t)},
           context.stream, from_tokens, count, shift, layout.counts);
    Launch(&ScanKernel, {.grid = 1, .block = kScanThreads, .shared_bytes = kScanThreads * sizeof(uint32_t)},
           context.stream, layout.counts, int64_t{blocks} * kDigits);
    Launch(&ScatterKernel, {.grid = blocks, .block = kThreads, .shared_bytes = kWarps * kDigits * sizeof(uint32_t)},
           context.stream, from_tokens, from_positions, count, shift, static_cast<const uint32_t*>(layout.counts),
           layout.tokens[to], layout.positions[to]);
    from_tokens = layout.tokens[to];
    from_positions = layout.positions[to];
    to = 1 - to;
  }
  return {from_tokens, from_positions, count};
}

void SumRowsByToken(const CudaContext& context, const TokenOrder& order, const float* rows, int64_t width,
                    bool accumulate, float* table, void* memory) {
  SumRowsByToken(context, order, {rows, width, width, table, width}, accumulate, memory);
}

void SumRowsByToken(const CudaContext& context, const TokenOrder& order, const StridedRows& rows, bool accumulate,
                    void* memory) {
  const bool vectors =
      ReadsInFours(rows.rows, rows.row_stride, rows.width) && ReadsInFours(rows.table, rows.table_stride, rows.width);
  (vectors ? &SumRows<4> : &SumRows<1>)(context, order, rows, accumulate, memory);
}

}  // namespace slim::cuda
