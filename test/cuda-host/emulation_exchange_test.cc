// Between blocks, in clusters, and copies that are under way.

#include "emulated_device.h"

namespace slim::test {
namespace {

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
  EXPECT_TELLS(FailureOf([&] { device.Run(&WaitForNobody, {.grid = 1, .block = 32}, flag); }), "no thread can go on");
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
  EXPECT_TELLS(FailureOf([&] { device.Run(&UseRawBarrier, shape); }), "not initialised");
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
  EXPECT_TELLS(FailureOf([&] { device.Run(&CopyAndEnd, shape, in); }), "asynchronous copy");
}

}  // namespace
}  // namespace slim::test
