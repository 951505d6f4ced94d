// A device for the tests of the emulation, and ways to see that it finds faults.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "cuda/launch.h"
#include "cuda/ptx.h"
#include "emulation/emulator.h"
#include "emulation/failure.h"
#include "errors.h"
#include "test.h"

namespace slim::test {

using namespace slim::cuda;  // NOLINT: the tests read as kernels do

inline constexpr uint64_t kSeeds = 12;

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

}  // namespace slim::test
