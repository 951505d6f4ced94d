// The card's limits, its memory, streams and graphs.

#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <functional>

#include "emulated_device.h"

namespace slim::test {
namespace {

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
  EXPECT_TELLS(refusal({.grid = 1, .block = 1025}), "Nothing");
  EXPECT_TELLS(refusal({.grid = 1, .block = 32, .shared_bytes = 49153}), "invalid argument");
  AllowSharedMemory(&Nothing, 100000);
  EXPECT_EQ(refusal({.grid = 1, .block = 32, .shared_bytes = 100000}), "");
  EXPECT_THROWS(AllowSharedMemory(&Nothing, 300000), Error);
  // Four multiprocessors, each with room for one block of 1024 threads of 64 registers.
  EXPECT_EQ(refusal({.grid = 4, .block = 1024, .cooperative = true}), "");
  EXPECT_TELLS(refusal({.grid = 5, .block = 1024, .cooperative = true}), "too many blocks");
  EXPECT_TELLS(refusal({.grid = 6, .block = 32, .cluster = 4}), "invalid configuration");
  EXPECT_TELLS(refusal({.grid = 16, .block = 32, .cluster = 16}), "invalid configuration");
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
  EXPECT_TELLS(FailureOf([&] { device.Run(&NeedsClusters, {.grid = 1, .block = 32}); }), "capability 9.0");
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
               }),
               "1 allocations");
}

// --- streams and graphs ----------------------------------------------------------------------------------------------

__global__ void AddTo(int* at, const int* by) { *at += *by; }

TEST("a copy from pinned memory takes what lies there when it happens, which an event tells") {
  const auto wrong = [](uint64_t seed, bool waits) {
    Device device(seed);
    int* pinned = nullptr;
    int* memory = device.New<int>(1);
    cudaEvent_t copied = nullptr;
    Check(cudaHostAlloc(&pinned, sizeof(int), cudaHostAllocDefault), "allocate");
    Check(cudaEventCreateWithFlags(&copied, cudaEventDisableTiming), "create");
    *pinned = 5;
    Check(cudaMemcpyAsync(memory, pinned, sizeof(int), cudaMemcpyHostToDevice, device.stream()), "copy");
    Check(cudaEventRecord(copied, device.stream()), "record");
    if (waits) Check(cudaEventSynchronize(copied), "wait");
    *pinned = 6;
    const bool is_wrong = device.Read(memory, 1)[0] != 5;
    Check(cudaEventDestroy(copied), "destroy");
    Check(cudaFreeHost(pinned), "free");
    return is_wrong;
  };
  EXPECT_EQ(FaultsShown([&](uint64_t seed) { return wrong(seed, true); }), 0);
  EXPECT(FaultsShown([&](uint64_t seed) { return wrong(seed, false); }) > 0);
}

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
