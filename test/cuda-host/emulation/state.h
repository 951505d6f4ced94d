// All that the emulated runtime remembers.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "emulation/device_memory.h"
#include "emulation/emulator.h"
#include "emulation/random.h"
#include "emulation/runtime_api.h"
#include "emulation/streams.h"

namespace emulated {

struct FunctionSettings {
  size_t dynamic_shared = size_t{48} << 10;
  bool large_clusters = false;
};

struct State {
  Card card;
  Random random;
  DeviceMemory memory;
  std::map<void*, size_t> pinned;
  std::set<cudaStream_t> streams;
  std::set<cudaEvent_t> events;
  std::set<cudaGraph_t> graphs;
  std::set<cudaGraphExec_t> execs;
  std::map<KernelAddress, FunctionSettings> functions;
  std::map<KernelAddress, std::string> names;
  cudaError_t last_error = cudaSuccess;
  cudaError_t lost = cudaSuccess;  // what every call answers once the device is lost
  int64_t allocations_to_failure = 0;
  bool allocations_fail = false;
  int64_t launches_to_loss = 0;
  cudaError_t loss = cudaErrorLaunchFailure;  // what the device is lost by then
  cudaError_t refusal = cudaSuccess;          // of a cooperative launch
  int taken_multiprocessors = 0;
  Statistics counted;
  std::recursive_mutex mutex;
};

State& TheState();

/// Remembers an error for cudaGetLastError.
cudaError_t Answer(cudaError_t error);

/// Blocks of such a launch that fit a multiprocessor.
int ResidentBlocks(const Card& card, int64_t threads, size_t shared_bytes);

}  // namespace emulated
