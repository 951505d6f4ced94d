#include <algorithm>
#include <utility>

#include "cuda/launch.h"
#include "cuda/ptx.h"
#include "cuda/token_groups.h"
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

// Places in the order are cut into chunks. A run of one token within a chunk is summed at once; of one that passes the
// chunk's beginning the sum goes to the chunk's first row of `open`, of one that passes only its end to the second.
constexpr int kChunk = 128;
constexpr int kSumThreads = 128;

struct RowSums {
  TokenOrder order;
  StridedRows rows;
  bool accumulate;
  float* open;  // [chunks, 2, width]

  __device__ void Write(uint32_t token, int64_t column, float sum) const {
    float* at = rows.table + token * rows.table_stride + column;
    *at = accumulate ? *at + sum : sum;
  }
  __device__ float* Open(int64_t chunk, int which) const { return open + (chunk * 2 + which) * rows.width; }
  __device__ bool RunPasses(int64_t place) const {
    return place > 0 && place < order.count && order.tokens[place - 1] == order.tokens[place];
  }
};

__global__ void __launch_bounds__(kSumThreads) SumChunksKernel(const __grid_constant__ RowSums sums) {
  const int64_t chunk = blockIdx.x;
  const int64_t begin = chunk * kChunk, end = min(begin + kChunk, sums.order.count);
  const bool enters = sums.RunPasses(begin), leaves = sums.RunPasses(end);
  for (int64_t column = threadIdx.x; column < sums.rows.width; column += kSumThreads) {
    bool from_before = enters;
    float sum = 0;
    for (int64_t place = begin; place < end; ++place) {
      const uint32_t token = sums.order.tokens[place];
      sum += sums.rows.rows[sums.order.positions[place] * sums.rows.row_stride + column];
      const bool last = place + 1 == end;
      if (!last && sums.order.tokens[place + 1] == token) continue;
      if (from_before) {
        sums.Open(chunk, 0)[column] = sum;
      } else if (last && leaves) {
        sums.Open(chunk, 1)[column] = sum;
      } else {
        sums.Write(token, column, sum);
      }
      from_before = false;
      sum = 0;
    }
  }
}

// The chunk in which a run begins adds up what the later ones have of it.
__global__ void __launch_bounds__(kSumThreads) JoinChunksKernel(const __grid_constant__ RowSums sums) {
  const int64_t chunk = blockIdx.x;
  const int64_t begin = chunk * kChunk, end = min(begin + kChunk, sums.order.count);
  if (!sums.RunPasses(end)) return;
  const uint32_t token = sums.order.tokens[end - 1];
  if (sums.order.tokens[begin] == token && sums.RunPasses(begin)) return;
  // The run goes on through all chunks that end with it too, and ends in the one after them.
  int64_t last = chunk + 1;
  while (sums.RunPasses((last + 1) * kChunk) && sums.order.tokens[(last + 1) * kChunk] == token) ++last;
  for (int64_t column = threadIdx.x; column < sums.rows.width; column += kSumThreads) {
    float sum = sums.Open(chunk, 1)[column];
#pragma unroll 8
    for (int64_t next = chunk + 1; next <= last; ++next) sum += sums.Open(next, 0)[column];
    sums.Write(token, column, sum);
  }
}

// --- memory ----------------------------------------------------------------------------------------------------------

constexpr size_t kAlignment = 256;

size_t Aligned(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

int64_t Blocks(int64_t count, int64_t per_block) { return std::max<int64_t>(1, (count + per_block - 1) / per_block); }

// Where things lie in the memory: two orders, counts of digits, open sums.
struct Layout {
  uint32_t* tokens[2];
  int32_t* positions[2];
  uint32_t* counts;
  float* open;
  size_t bytes = 0;

  Layout(int64_t count, int64_t width, void* memory) : base_(static_cast<uint8_t*>(memory)) {
    const auto places = static_cast<size_t>(count);
    for (uint32_t*& array : tokens) array = Take<uint32_t>(places);
    for (int32_t*& array : positions) array = Take<int32_t>(places);
    counts = Take<uint32_t>(static_cast<size_t>(Blocks(count, kTile) * kDigits));
    open = Take<float>(static_cast<size_t>(Blocks(count, kChunk) * 2 * width));
  }

 private:
  template <class T>
  T* Take(size_t count) {
    T* taken = base_ == nullptr ? nullptr : reinterpret_cast<T*>(base_ + bytes);
    bytes += Aligned(count * sizeof(T));
    return taken;
  }

  uint8_t* base_;
};

int DigitsFor(int64_t vocabulary) {
  int digits = 1;
  while (digits < 4 && (int64_t{1} << (digits * kDigitBits)) < vocabulary) ++digits;
  return digits;
}

}  // namespace

size_t TokenGroupsBytes(int64_t count, int64_t width) { return Layout(count, width, nullptr).bytes; }

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
  if (order.count == 0 || rows.width == 0) return;
  const RowSums sums{order, rows, accumulate, Layout(order.count, rows.width, memory).open};
  const LaunchShape shape{.grid = dim3(static_cast<unsigned int>(Blocks(order.count, kChunk))),
                          .block = dim3(kSumThreads)};
  Launch(&SumChunksKernel, shape, context.stream, sums);
  Launch(&JoinChunksKernel, shape, context.stream, sums);
}

}  // namespace slim::cuda
