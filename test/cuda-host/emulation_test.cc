// Blocks and warps: the emulation gives what hardware gives, and finds what hardware leaves to chance.

#include "emulated_device.h"

namespace slim::test {
namespace {

// --- grids, blocks, threads ------------------------------------------------------------------------------------------

__global__ void NumberThreads(int* numbers) {
  const unsigned int block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned int thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  const unsigned int number = block * blockDim.x * blockDim.y * blockDim.z + thread;
  numbers[number] = static_cast<int>(number);
}

TEST("every thread of every block runs once") {
  Device device;
  const dim3 grid(3, 2, 2), block(5, 3, 2);
  constexpr size_t kThreads = 12 * 30;
  int* numbers = device.New<int>(kThreads);
  device.Run(&NumberThreads, {.grid = grid, .block = block}, numbers);
  const std::vector<int> read = device.Read(numbers, kThreads);
  for (size_t i = 0; i < kThreads; ++i) EXPECT_EQ(read[i], static_cast<int>(i));
}

__global__ void ReverseBlock(const int* in, int* out) {
  int* shared = SharedMemory<int>();
  shared[threadIdx.x] = in[blockIdx.x * blockDim.x + threadIdx.x];
  __syncthreads();
  out[blockIdx.x * blockDim.x + threadIdx.x] = shared[blockDim.x - 1 - threadIdx.x];
}

__global__ void ReverseBlockWithoutBarrier(const int* in, int* out) {
  int* shared = SharedMemory<int>();
  shared[threadIdx.x] = in[blockIdx.x * blockDim.x + threadIdx.x];
  out[blockIdx.x * blockDim.x + threadIdx.x] = shared[blockDim.x - 1 - threadIdx.x];
}

bool ReversesWrongly(void (*kernel)(const int*, int*), uint64_t seed) {
  Device device(seed);
  constexpr unsigned int kBlock = 96, kGrid = 3;
  std::vector<int> in(kBlock * kGrid);
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<int>(i);
  int* out = device.New<int>(in.size());
  device.Run(kernel, {.grid = kGrid, .block = kBlock, .shared_bytes = kBlock * sizeof(int)}, device.New(in), out);
  const std::vector<int> read = device.Read(out, in.size());
  for (size_t i = 0; i < in.size(); ++i) {
    if (read[i] != static_cast<int>(i / kBlock * kBlock + kBlock - 1 - i % kBlock)) return true;
  }
  return false;
}

TEST("a barrier orders the threads of a block, and a missing one is seen") {
  EXPECT_EQ(FaultsShown([](uint64_t seed) { return ReversesWrongly(&ReverseBlock, seed); }), 0);
  EXPECT_EQ(FaultsShown([](uint64_t seed) { return ReversesWrongly(&ReverseBlockWithoutBarrier, seed); }),
            static_cast<int>(kSeeds));
}

// Each thread adds what its neighbour had, in place; the barrier between reading and writing may be missing.
template <bool kSafe>
__global__ void ShiftInPlace(int* out) {
  int* shared = SharedMemory<int>();
  shared[threadIdx.x] = static_cast<int>(threadIdx.x);
  __syncthreads();
  const int next = shared[(threadIdx.x + 1) % blockDim.x];
  if (kSafe) __syncthreads();
  shared[threadIdx.x] = next;
  __syncthreads();
  out[threadIdx.x] = shared[threadIdx.x];
}

TEST("writing what others still read is seen") {
  const auto wrong = [](void (*kernel)(int*), uint64_t seed) {
    Device device(seed);
    int* out = device.New<int>(64);
    device.Run(kernel, {.grid = 1, .block = 64, .shared_bytes = 64 * sizeof(int)}, out);
    const std::vector<int> read = device.Read(out, 64);
    for (int i = 0; i < 64; ++i) {
      if (read[static_cast<size_t>(i)] != (i + 1) % 64) return true;
    }
    return false;
  };
  EXPECT_EQ(FaultsShown([&](uint64_t seed) { return wrong(&ShiftInPlace<true>, seed); }), 0);
  EXPECT_EQ(FaultsShown([&](uint64_t seed) { return wrong(&ShiftInPlace<false>, seed); }), static_cast<int>(kSeeds));
}

__global__ void SkipBarrier() {
  if (threadIdx.x < 7) return;
  __syncthreads();
}

__global__ void BarrierInBranches() {
  if (threadIdx.x < 32) {  // NOLINT(bugprone-branch-clone): the barriers are two
    __syncthreads();
  } else {
    __syncthreads();
  }
}

TEST("a barrier that not all threads of the block reach is a failure") {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    Device device(seed);
    const std::string left = FailureOf([&] { device.Run(&SkipBarrier, {.grid = 2, .block = 64}); });
    EXPECT_TELLS(left, "barrier");
    EXPECT_TELLS(left, "SkipBarrier, block (");
    EXPECT_TELLS(FailureOf([&] { device.Run(&BarrierInBranches, {.grid = 1, .block = 64}); }), "while others");
  }
}

__global__ void CountAndVote(int* out) {
  const int thread = static_cast<int>(threadIdx.x);
  out[3 * thread] = __syncthreads_count(thread % 3 == 0);
  out[3 * thread + 1] = __syncthreads_or(thread == 41);
  out[3 * thread + 2] = __syncthreads_and(thread != 41);
}

TEST("barriers count and vote") {
  Device device(3);
  int* out = device.New<int>(3 * 64);
  device.Run(&CountAndVote, {.grid = 1, .block = 64}, out);
  const std::vector<int> read = device.Read(out, 3 * 64);
  for (size_t i = 0; i < 64; ++i) {
    EXPECT_EQ(read[3 * i], 22);
    EXPECT(read[3 * i + 1] != 0);
    EXPECT_EQ(read[3 * i + 2], 0);
  }
}

// --- warps -----------------------------------------------------------------------------------------------------------

constexpr unsigned int kAll = 0xFFFFFFFFu;

__global__ void Shuffles(int* out) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  int* at = out + threadIdx.x * 8;
  at[0] = __shfl_sync(kAll, lane * 10, (lane + 5) % 32);
  at[1] = __shfl_xor_sync(kAll, lane, 4);
  at[2] = __shfl_up_sync(kAll, lane, 3);
  at[3] = __shfl_down_sync(kAll, lane, 3);
  at[4] = __shfl_sync(kAll, lane, 2, 8);
  at[5] = __shfl_down_sync(kAll, lane, 3, 8);
  at[6] = static_cast<int>(__ballot_sync(kAll, lane % 4 == 1));
  at[7] = static_cast<int>(__match_any_sync(kAll, lane % 3));
}

TEST("shuffles, votes and matches give what hardware gives") {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    Device device(seed);
    int* out = device.New<int>(64 * 8);
    device.Run(&Shuffles, {.grid = 1, .block = 64}, out);
    const std::vector<int> read = device.Read(out, 64 * 8);
    for (int thread = 0; thread < 64; ++thread) {
      const int lane = thread % 32;
      const int* at = read.data() + thread * 8;
      EXPECT_EQ(at[0], (lane + 5) % 32 * 10);
      EXPECT_EQ(at[1], lane ^ 4);
      EXPECT_EQ(at[2], lane < 3 ? lane : lane - 3);
      EXPECT_EQ(at[3], lane > 28 ? lane : lane + 3);
      EXPECT_EQ(at[4], lane / 8 * 8 + 2);
      EXPECT_EQ(at[5], lane % 8 > 4 ? lane : lane + 3);
      EXPECT_EQ(at[6], 0x22222222);
      unsigned int equal = 0;
      for (int other = lane % 3; other < 32; other += 3) equal |= 1u << other;
      EXPECT_EQ(static_cast<unsigned int>(at[7]), equal);
    }
  }
}

__global__ void ShuffleInHalfWarp(int* out) {
  if (threadIdx.x % 32 < 16) out[threadIdx.x] = __shfl_xor_sync(0x0000FFFFu, static_cast<int>(threadIdx.x), 1);
}
__global__ void ShuffleWithWrongMask(int* out) {
  if (threadIdx.x % 32 < 16) out[threadIdx.x] = __shfl_xor_sync(kAll, static_cast<int>(threadIdx.x), 1);
}
__global__ void ShuffleFromOutside(int* out) {
  if (threadIdx.x % 32 < 16) out[threadIdx.x] = __shfl_sync(0x0000FFFFu, static_cast<int>(threadIdx.x), 20);
}

TEST("a warp's operation with a lane that does not come, or is not in the mask, is a failure") {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    Device device(seed);
    int* out = device.New<int>(32);
    device.Run(&ShuffleInHalfWarp, {.grid = 1, .block = 32}, out);
    EXPECT_EQ(device.Read(out, 16)[4], 5);
    EXPECT_TELLS(FailureOf([&] { device.Run(&ShuffleWithWrongMask, {.grid = 1, .block = 32}, out); }), "shuffle");
    EXPECT_TELLS(FailureOf([&] { device.Run(&ShuffleFromOutside, {.grid = 1, .block = 32}, out); }), "lane 20");
  }
}

// A warp's lanes exchange through shared memory; without __syncwarp they rely on running in lockstep.
template <bool kSafe>
__global__ void ExchangeInWarp(int* out) {
  int* shared = SharedMemory<int>();
  shared[threadIdx.x] = static_cast<int>(threadIdx.x);
  if (kSafe) __syncwarp();
  out[threadIdx.x] = shared[threadIdx.x ^ 1];
}

TEST("relying on lockstep within a warp is seen") {
  const auto wrong = [](void (*kernel)(int*), uint64_t seed) {
    Device device(seed);
    int* out = device.New<int>(32);
    device.Run(kernel, {.grid = 1, .block = 32, .shared_bytes = 32 * sizeof(int)}, out);
    const std::vector<int> read = device.Read(out, 32);
    for (int i = 0; i < 32; ++i) {
      if (read[static_cast<size_t>(i)] != (i ^ 1)) return true;
    }
    return false;
  };
  EXPECT_EQ(FaultsShown([&](uint64_t seed) { return wrong(&ExchangeInWarp<true>, seed); }), 0);
  EXPECT_EQ(FaultsShown([&](uint64_t seed) { return wrong(&ExchangeInWarp<false>, seed); }), static_cast<int>(kSeeds));
}

// --- the matrix units ------------------------------------------------------------------------------------------------

__global__ void Tf32Product(const float* a, const float* b, float* c) {
  const unsigned int g = threadIdx.x / 4, t = threadIdx.x % 4;
  Tf32TileA left;
  Tf32TileB right;
  for (unsigned int i = 0; i < 4; ++i) left.value[i] = ToTf32(a[(g + i % 2 * 8) * 8 + t + i / 2 * 4]);
  for (unsigned int i = 0; i < 2; ++i) right.value[i] = ToTf32(b[(t + i * 4) * 8 + g]);
  TileSums sums = {{0, 0, 0, 0}};
  MultiplyAdd(sums, left, right);
  for (unsigned int i = 0; i < 4; ++i) c[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = sums.value[i];
}

__global__ void Bf16Product(const float* a, const float* b, float* c) {
  const unsigned int g = threadIdx.x / 4, t = threadIdx.x % 4;
  Bf16TileA left;
  Bf16TileB right;
  for (unsigned int i = 0; i < 4; ++i) {
    const float* at = a + (g + i % 2 * 8) * 16 + 2 * t + i / 2 * 8;
    left.value[i] = ToBf16Pair(at[0], at[1]);
  }
  for (unsigned int i = 0; i < 2; ++i) {
    const float* at = b + (2 * t + i * 8) * 8 + g;
    right.value[i] = ToBf16Pair(at[0], at[8]);
  }
  TileSums sums = {{0, 0, 0, 0}};
  MultiplyAdd(sums, left, right);
  for (unsigned int i = 0; i < 4; ++i) c[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = sums.value[i];
}

void ExpectProduct(void (*kernel)(const float*, const float*, float*), size_t depth) {
  Device device(1);
  // Small integers, exact in either format.
  std::vector<float> a(16 * depth), b(depth * 8);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(static_cast<int>(i * 7 % 23) - 11);
  for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(static_cast<int>(i * 5 % 19) - 9);
  float* c = device.New<float>(16 * 8);
  device.Run(kernel, {.grid = 1, .block = 32}, device.New(a), device.New(b), c);
  const std::vector<float> read = device.Read(c, 16 * 8);
  for (size_t row = 0; row < 16; ++row) {
    for (size_t column = 0; column < 8; ++column) {
      float sum = 0;
      for (size_t k = 0; k < depth; ++k) sum += a[row * depth + k] * b[k * 8 + column];
      EXPECT_EQ(read[row * 8 + column], sum);
    }
  }
}

TEST("products of tiles are those of matrices") {
  ExpectProduct(&Tf32Product, 8);
  ExpectProduct(&Bf16Product, 16);
}

}  // namespace
}  // namespace slim::test
