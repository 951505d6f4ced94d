// The emulation gives what hardware gives, and finds what hardware leaves to chance.

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "cuda/launch.h"
#include "cuda/ptx.h"
#include "emulation/emulator.h"
#include "emulation/failure.h"
#include "errors.h"
#include "test.h"

namespace slim::test {
namespace {

using namespace slim::cuda;  // NOLINT: the tests read as kernels do

constexpr uint64_t kSeeds = 12;

// A stream and device memory, given back at the end even of a test that failed.
class Device {
 public:
  explicit Device(uint64_t seed = 0, const emulated::Card& card = {}) {
    emulated::Restart(card, seed);
    Check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "create a stream");
  }
  ~Device() {
    for (void* memory : memory_) static_cast<void>(cudaFree(memory));
    static_cast<void>(cudaStreamDestroy(stream_));
  }

  cudaStream_t stream() const { return stream_; }

  template <class T>
  T* New(size_t count) {
    T* memory = nullptr;
    Check(cudaMalloc(&memory, count * sizeof(T)), "allocate");
    memory_.push_back(memory);
    return memory;
  }
  template <class T>
  T* New(const std::vector<T>& values) {
    T* memory = New<T>(values.size());
    Check(cudaMemcpyAsync(memory, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice, stream_), "copy");
    return memory;
  }
  template <class T>
  std::vector<T> Read(const T* memory, size_t count) {
    std::vector<T> values(count);
    Check(cudaMemcpyAsync(values.data(), memory, count * sizeof(T), cudaMemcpyDeviceToHost, stream_), "copy");
    Check(cudaStreamSynchronize(stream_), "wait");
    return values;
  }
  template <class... Parameters, class... Arguments>
  void Run(void (*kernel)(Parameters...), const LaunchShape& shape, Arguments... arguments) {
    Launch(kernel, shape, stream_, arguments...);
    Check(cudaStreamSynchronize(stream_), "wait");
  }

 private:
  cudaStream_t stream_ = nullptr;
  std::vector<void*> memory_;
};

// What the emulation says of a kernel that does what it must not.
template <class Body>
std::string FailureOf(const Body& body) {
  try {
    body();
  } catch (const emulated::Failure& failure) {
    return failure.what();
  }
  return "(nothing)";
}

// How many of the seeds' orders show the fault, as a wrong result or a failure.
template <class ShowsFault>
int FaultsShown(const ShowsFault& shows) {
  int shown = 0;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) shown += shows(seed);
  return shown;
}

// Whether a process of its own that does this dies.
bool Dies(const std::function<void()>& body) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    static_cast<void>(std::freopen("/dev/null", "w", stderr));
    body();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#define EXPECT_TELLS(text, part) EXPECT(std::string(text).find(part) != std::string::npos || (std::puts(text), false))

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
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

TEST("a barrier that not all threads of the block reach is a failure") {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    Device device(seed);
    const std::string left = FailureOf([&] { device.Run(&SkipBarrier, {.grid = 2, .block = 64}); });
    EXPECT_TELLS(left.c_str(), "barrier");
    EXPECT_TELLS(left.c_str(), "SkipBarrier, block (");
    EXPECT_TELLS(FailureOf([&] { device.Run(&BarrierInBranches, {.grid = 1, .block = 64}); }).c_str(), "while others");
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
    EXPECT_TELLS(FailureOf([&] { device.Run(&ShuffleWithWrongMask, {.grid = 1, .block = 32}, out); }).c_str(),
                 "shuffle");
    EXPECT_TELLS(FailureOf([&] { device.Run(&ShuffleFromOutside, {.grid = 1, .block = 32}, out); }).c_str(), "lane 20");
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

// --- between blocks --------------------------------------------------------------------------------------------------

// Block i waits for block i - 1 and adds one to what it left.
__global__ void ChainBlocks(uint32_t* flags, int* values) {
  if (threadIdx.x == 0) {
    const unsigned int block = blockIdx.x;
    if (block > 0) {
      while (LoadAcquire(flags + block - 1) == 0) {
      }
    }
    values[block] = block > 0 ? values[block - 1] + 1 : 0;
    StoreRelease(flags + block, 1);
  }
}

TEST("blocks of a cooperative grid wait for each other") {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    Device device(seed);
    int* values = device.New<int>(16);
    uint32_t* flags = device.New(std::vector<uint32_t>(16, 0));
    device.Run(&ChainBlocks, {.grid = 16, .block = 64, .cooperative = true}, flags, values);
    EXPECT_EQ(device.Read(values, 16)[15], 15);
  }
}

__global__ void WaitForNobody(uint32_t* flag) {
  while (LoadAcquire(flag) == 0) {
  }
}

TEST("threads that wait for what never comes are a failure that says where they are") {
  Device device(1);
  uint32_t* flag = device.New(std::vector<uint32_t>(1, 0));
  EXPECT_TELLS(FailureOf([&] { device.Run(&WaitForNobody, {.grid = 1, .block = 32}, flag); }).c_str(),
               "no thread can go on");
}

TEST("a grid that waits for blocks that are not resident does not finish") {
  // Two of sixteen blocks at a time, the last ones first: sooner or later those that run wait for those that cannot.
  EXPECT(FaultsShown([](uint64_t seed) {
           Device device(seed);
           int* values = device.New<int>(16);
           uint32_t* flags = device.New(std::vector<uint32_t>(16, 0));
           const LaunchShape ordinary{.grid = 16, .block = 32};
           return FailureOf([&] { device.Run(&ChainBlocks, ordinary, flags, values); }) != "(nothing)";
         }) == static_cast<int>(kSeeds));
}

// --- clusters --------------------------------------------------------------------------------------------------------

// Each block sends its number to the next one's shared memory; the receiver waits for the bytes, or does not.
template <bool kWaits>
__global__ void SendToNeighbour(float* out) {
  auto* barrier = SharedMemory<TransactionBarrier>();
  float* inbox = SharedMemory<float>() + 4;
  if (threadIdx.x == 0) {
    InitBarrier(barrier, 1);
    FenceBarrierInit();
    ArriveExpecting(barrier, blockDim.x * sizeof(float));
  }
  inbox[threadIdx.x] = -1;
  ClusterSync();
  const uint32_t next = (ClusterRank() + 1) % ClusterBlocks();
  StoreAsync(PeerAddress(inbox + threadIdx.x, next), static_cast<float>(blockIdx.x * 100 + threadIdx.x),
             PeerAddress(barrier, next));
  if (kWaits) {
    while (!PhaseIsOver(barrier, 0)) {
    }
  }
  out[blockIdx.x * blockDim.x + threadIdx.x] = inbox[threadIdx.x];
  ClusterSync();
  if (!kWaits) {
    while (!PhaseIsOver(barrier, 0)) {
    }
  }
}

bool SendsWrongly(void (*kernel)(float*), uint64_t seed) {
  Device device(seed);
  float* out = device.New<float>(8 * 32);
  device.Run(kernel, {.grid = 8, .block = 32, .shared_bytes = (4 + 32) * sizeof(float), .cluster = 4}, out);
  const std::vector<float> read = device.Read(out, 8 * 32);
  for (int block = 0; block < 8; ++block) {
    const int sender = block / 4 * 4 + (block + 3) % 4;
    for (int i = 0; i < 32; ++i) {
      if (read[static_cast<size_t>(block * 32 + i)] != static_cast<float>(sender * 100 + i)) return true;
    }
  }
  return false;
}

TEST("asynchronous stores arrive when their barrier says so, and reading before is seen") {
  EXPECT_EQ(FaultsShown([](uint64_t seed) { return SendsWrongly(&SendToNeighbour<true>, seed); }), 0);
  EXPECT_EQ(FaultsShown([](uint64_t seed) { return SendsWrongly(&SendToNeighbour<false>, seed); }),
            static_cast<int>(kSeeds));
}

__global__ void ReadPeerThenLeave(float* out, bool stays) {
  float* shared = SharedMemory<float>();
  shared[threadIdx.x] = static_cast<float>(ClusterRank());
  ClusterSync();
  out[blockIdx.x * 32 + threadIdx.x] = LoadPeer(PeerAddress(shared + threadIdx.x, ClusterRank() ^ 1));
  if (stays) ClusterSync();
}

TEST("a block that ends while its shared memory is read is seen") {
  const auto wrong = [](uint64_t seed, bool stays) {
    Device device(seed);
    float* out = device.New<float>(64);
    const LaunchShape shape{.grid = 2, .block = 32, .shared_bytes = 32 * sizeof(float), .cluster = 2};
    return FailureOf([&] { device.Run(&ReadPeerThenLeave, shape, out, stays); }) != "(nothing)";
  };
  EXPECT_EQ(FaultsShown([&](uint64_t seed) { return wrong(seed, true); }), 0);
  EXPECT(FaultsShown([&](uint64_t seed) { return wrong(seed, false); }) > 0);
}

__global__ void UseRawBarrier() {
  auto* barrier = SharedMemory<TransactionBarrier>();
  Arrive(barrier);
}

TEST("an mbarrier that was not initialised is a failure") {
  Device device;
  const LaunchShape shape{.grid = 1, .block = 32, .shared_bytes = 8};
  EXPECT_TELLS(FailureOf([&] { device.Run(&UseRawBarrier, shape); }).c_str(), "not initialised");
}

// --- asynchronous copies ---------------------------------------------------------------------------------------------

template <bool kWaits>
__global__ void CopyThrough(const int* in, int* out) {
  int* shared = SharedMemory<int>();
  CopyAsync<4>(shared + threadIdx.x, in + threadIdx.x);
  CommitCopies();
  if (kWaits) WaitCopies<0>();
  __syncthreads();
  out[threadIdx.x] = shared[threadIdx.x ^ 1];
  WaitCopies<0>();
}
__global__ void CopyAndEnd(const int* in) { CopyAsync<4>(SharedMemory<int>() + threadIdx.x, in + threadIdx.x); }

TEST("an asynchronous copy that was not waited for is seen") {
  const auto wrong = [](void (*kernel)(const int*, int*), uint64_t seed) {
    Device device(seed);
    std::vector<int> in(64);
    for (int i = 0; i < 64; ++i) in[static_cast<size_t>(i)] = i;
    int* out = device.New<int>(64);
    device.Run(kernel, {.grid = 1, .block = 64, .shared_bytes = 64 * sizeof(int)}, device.New(in), out);
    return device.Read(out, 64)[5] != 4;
  };
  EXPECT_EQ(FaultsShown([&](uint64_t seed) { return wrong(&CopyThrough<true>, seed); }), 0);
  EXPECT(FaultsShown([&](uint64_t seed) { return wrong(&CopyThrough<false>, seed); }) > 2);
  Device device;
  const int* in = device.New(std::vector<int>(32, 1));
  const LaunchShape shape{.grid = 1, .block = 32, .shared_bytes = 32 * sizeof(int)};
  EXPECT_TELLS(FailureOf([&] { device.Run(&CopyAndEnd, shape, in); }).c_str(), "asynchronous copy");
}

// --- limits ----------------------------------------------------------------------------------------------------------

__global__ void Nothing() {}
__global__ void NeedsClusters() { static_cast<void>(ClusterRank()); }

TEST("launches beyond the card's limits are refused with the kernel's name") {
  Device device;
  const auto refusal = [&](const LaunchShape& shape) {
    try {
      Launch(&Nothing, shape, device.stream());
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(refusal({.grid = 1, .block = 1024}), "");
  EXPECT_TELLS(refusal({.grid = 1, .block = 1025}).c_str(), "Nothing");
  EXPECT_TELLS(refusal({.grid = 1, .block = 32, .shared_bytes = 49153}).c_str(), "invalid argument");
  AllowSharedMemory(&Nothing, 100000);
  EXPECT_EQ(refusal({.grid = 1, .block = 32, .shared_bytes = 100000}), "");
  EXPECT_THROWS(AllowSharedMemory(&Nothing, 300000), Error);
  // Four multiprocessors, each with room for one block of 1024 threads of 64 registers.
  EXPECT_EQ(refusal({.grid = 4, .block = 1024, .cooperative = true}), "");
  EXPECT_TELLS(refusal({.grid = 5, .block = 1024, .cooperative = true}).c_str(), "too many blocks");
  EXPECT_TELLS(refusal({.grid = 6, .block = 32, .cluster = 4}).c_str(), "invalid configuration");
  EXPECT_TELLS(refusal({.grid = 16, .block = 32, .cluster = 16}).c_str(), "invalid configuration");
  AllowLargeClusters(&Nothing);
  EXPECT_EQ(refusal({.grid = 16, .block = 32, .cluster = 16}), "");
  Check(cudaStreamSynchronize(device.stream()), "wait");
}

TEST("another process's blocks make a cooperative grid too large, without warning") {
  Device device;
  int blocks = 0;
  Check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, &Nothing, 1024, 0), "ask");
  EXPECT_EQ(blocks, 1);
  emulated::TakeMultiprocessors(1);
  EXPECT_THROWS(Launch(&Nothing, {.grid = 4, .block = 1024, .cooperative = true}, device.stream()), Error);
}

TEST("an old card has no clusters") {
  emulated::Card card;
  card.major = 7;
  card.minor = 5;
  Device device(0, card);
  EXPECT_THROWS(Launch(&Nothing, {.grid = 4, .block = 32, .cluster = 2}, device.stream()), Error);
  EXPECT_TELLS(FailureOf([&] { device.Run(&NeedsClusters, {.grid = 1, .block = 32}); }).c_str(), "capability 9.0");
}

// --- memory ----------------------------------------------------------------------------------------------------------

__global__ void WriteAt(int* memory, int64_t at) { memory[at] = 1; }
__global__ void WriteSharedAt(int64_t at) { SharedMemory<int>()[at] = 1; }

TEST("accesses out of bounds, and of device memory by the host, end the process") {
  const auto write = [](int64_t at) {
    return [at] {
      Device device;
      int* memory = device.New<int>(7);
      static_cast<void>(device.New<int>(7));
      device.Run(&WriteAt, {}, memory, at);
    };
  };
  EXPECT(!Dies(write(6)));
  EXPECT(Dies(write(7)));
  EXPECT(Dies(write(-1)));
  const auto write_shared = [](int64_t at) {
    return [at] {
      Device device;
      device.Run(&WriteSharedAt, {.shared_bytes = 7 * sizeof(int)}, at);
    };
  };
  EXPECT(!Dies(write_shared(6)));
  EXPECT(Dies(write_shared(7)));
  EXPECT(Dies([] {
    Device device;
    *device.New<int>(1) = 1;
  }));
  EXPECT(Dies([] {
    Device device;
    int* memory = nullptr;
    Check(cudaMalloc(&memory, sizeof(int)), "allocate");
    Check(cudaFree(memory), "free");
    device.Run(&WriteAt, {}, memory, int64_t{0});
  }));
}

__global__ void CopyShared(float* out) { out[threadIdx.x] = SharedMemory<float>()[threadIdx.x]; }

TEST("memory that nobody wrote is not a number") {
  Device device;
  float* memory = device.New<float>(5);
  for (const float value : device.Read(memory, 5)) EXPECT(std::isnan(value));
  device.Run(&CopyShared, {.grid = 1, .block = 5, .shared_bytes = 5 * sizeof(float)}, memory);
  for (const float value : device.Read(memory, 5)) EXPECT(std::isnan(value));
}

TEST("allocations fail when they are told to, and when memory is used up") {
  emulated::Card card;
  card.memory = 1 << 20;
  Device device(0, card);
  static_cast<void>(device.New<char>(800000));
  EXPECT_THROWS(device.New<char>(300000), Error);
  emulated::FailAllocations(2);
  static_cast<void>(device.New<char>(1));
  EXPECT_THROWS(device.New<char>(1), Error);
  EXPECT_THROWS(device.New<char>(1), Error);
  emulated::FailAllocations(0);
  static_cast<void>(device.New<char>(1));
}

TEST("a lost device fails every later call") {
  Device device;
  emulated::LoseDevice(2);
  device.Run(&Nothing, {});
  EXPECT_THROWS(device.Run(&Nothing, {}), Error);
  EXPECT_THROWS(device.New<char>(1), Error);
}

TEST("what is not given back is told") {
  EXPECT_TELLS(FailureOf([] {
                 emulated::Restart();
                 void* memory = nullptr;
                 static_cast<void>(cudaMalloc(&memory, 10));
                 emulated::Restart();
               }).c_str(),
               "1 allocations");
}

// --- streams and graphs ----------------------------------------------------------------------------------------------

__global__ void AddTo(int* at, const int* by) { *at += *by; }

TEST("a copy from the host takes what lay there when it was called, work comes later") {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    Device device(seed);
    int value = 5;
    int* memory = device.New<int>(1);
    Check(cudaMemcpyAsync(memory, &value, sizeof(value), cudaMemcpyHostToDevice, device.stream()), "copy");
    value = 6;
    EXPECT_EQ(device.Read(memory, 1)[0], 5);
  }
}

TEST("streams run in any order but where an event holds one up") {
  const auto wrong = [](uint64_t seed, bool waits) {
    Device device(seed);
    int* sum = device.New(std::vector<int>{1});
    int* other = device.New(std::vector<int>{10});
    Check(cudaDeviceSynchronize(), "wait");
    cudaStream_t second = nullptr;
    cudaEvent_t event = nullptr;
    Check(cudaStreamCreateWithFlags(&second, cudaStreamNonBlocking), "create");
    Check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "create");
    Launch(&AddTo, {}, device.stream(), sum, other);
    Check(cudaEventRecord(event, device.stream()), "record");
    if (waits) Check(cudaStreamWaitEvent(second, event, 0), "wait");
    Launch(&AddTo, {}, second, other, sum);
    Check(cudaDeviceSynchronize(), "wait");
    const bool is_wrong = device.Read(other, 1)[0] != 21;
    Check(cudaEventDestroy(event), "destroy");
    Check(cudaStreamDestroy(second), "destroy");
    return is_wrong;
  };
  EXPECT_EQ(FaultsShown([&](uint64_t seed) { return wrong(seed, true); }), 0);
  EXPECT(FaultsShown([&](uint64_t seed) { return wrong(seed, false); }) > 0);
}

TEST("a captured graph does nothing until it is launched, and then the same each time") {
  Device device;
  int* sum = device.New(std::vector<int>{0});
  int* by = device.New(std::vector<int>{3});
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  Check(cudaStreamBeginCapture(device.stream(), cudaStreamCaptureModeThreadLocal), "begin");
  Launch(&AddTo, {}, device.stream(), sum, by);
  Launch(&AddTo, {}, device.stream(), by, sum);
  EXPECT(cudaStreamSynchronize(nullptr) != cudaSuccess);
  Check(cudaStreamEndCapture(device.stream(), &graph), "end");
  Check(cudaGraphInstantiate(&exec, graph, 0), "instantiate");
  Check(cudaGraphDestroy(graph), "destroy");
  EXPECT_EQ(device.Read(sum, 1)[0], 0);
  for (const int expected : {3, 9, 24}) {
    Check(cudaGraphLaunch(exec, device.stream()), "launch");
    EXPECT_EQ(device.Read(sum, 1)[0], expected);
  }
  Check(cudaGraphExecDestroy(exec), "destroy");
}

TEST("waiting within a capture spoils it") {
  Device device;
  cudaGraph_t graph = nullptr;
  Check(cudaStreamBeginCapture(device.stream(), cudaStreamCaptureModeThreadLocal), "begin");
  EXPECT_EQ(cudaStreamSynchronize(device.stream()), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(cudaStreamEndCapture(device.stream(), &graph), cudaErrorStreamCaptureInvalidated);
}

}  // namespace
}  // namespace slim::test
