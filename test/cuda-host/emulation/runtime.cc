#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "emulation/failure.h"
#include "emulation/state.h"

namespace emulated {
namespace {

using Lock = std::lock_guard<std::recursive_mutex>;

struct ErrorText {
  cudaError_t error;
  const char* name;
  const char* text;
};

constexpr ErrorText kErrors[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorCooperativeLaunchTooLarge, "cudaErrorCooperativeLaunchTooLarge", "too many blocks in cooperative launch"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
};

const ErrorText* Find(cudaError_t error) {
  const auto* found = std::find_if(std::begin(kErrors), std::end(kErrors), [&](auto& e) { return e.error == error; });
  return found == std::end(kErrors) ? nullptr : found;
}

thread_local int current_device = 0;

}  // namespace

State& TheState() {
  static auto* state = new State;
  return *state;
}

cudaError_t Answer(cudaError_t error) {
  if (error != cudaSuccess) TheState().last_error = error;
  return error;
}

void Restart(const Card& card, uint64_t seed) {
  State& state = TheState();
  const Lock lock(state.mutex);
  std::string left;
  const auto note = [&](size_t count, const char* what) {
    if (count > 0) left += " " + std::to_string(count) + " " + what;
  };
  note(state.memory.blocks(), "allocations");
  note(state.pinned.size(), "allocations of host memory");
  note(state.streams.size(), "streams");
  note(state.events.size(), "events");
  note(state.graphs.size() + state.execs.size(), "graphs");
  for (const auto& [memory, bytes] : state.pinned) std::free(memory);
  for (const cudaStream_t stream : state.streams) delete stream;
  for (const cudaEvent_t event : state.events) delete event;
  for (const cudaGraph_t graph : state.graphs) delete graph;
  for (const cudaGraphExec_t exec : state.execs) delete exec;
  state.pinned.clear();
  state.streams.clear();
  state.events.clear();
  state.graphs.clear();
  state.execs.clear();
  state.functions.clear();
  state.memory.Clear();
  state.card = card;
  state.random = Random(seed);
  state.last_error = state.lost = cudaSuccess;
  state.allocations_to_failure = state.launches_to_loss = 0;
  state.allocations_fail = false;
  state.refusal = cudaSuccess;
  state.taken_multiprocessors = 0;
  state.counted = {};
  if (!left.empty()) throw Failure("Not given back:" + left);
}

void Reseed(uint64_t seed) {
  const Lock lock(TheState().mutex);
  TheState().random = Random(seed);
}

void FailAllocations(int64_t count) {
  const Lock lock(TheState().mutex);
  TheState().allocations_to_failure = count;
  TheState().allocations_fail = false;
}

void LoseDevice(int64_t count, int error) {
  const Lock lock(TheState().mutex);
  TheState().launches_to_loss = count;
  TheState().loss = static_cast<cudaError_t>(error);
}

void RefuseGrids(int error) {
  const Lock lock(TheState().mutex);
  TheState().refusal = static_cast<cudaError_t>(error);
}

void TakeMultiprocessors(int count) {
  const Lock lock(TheState().mutex);
  TheState().taken_multiprocessors = count;
}

Statistics Counted() {
  State& state = TheState();
  const Lock lock(state.mutex);
  state.counted.allocated = state.memory.allocated();
  return state.counted;
}

}  // namespace emulated

using emulated::Answer;
using emulated::Lock;
using emulated::State;
using emulated::TheState;

const char* cudaGetErrorName(cudaError_t error) {
  const auto* found = emulated::Find(error);
  return found == nullptr ? "cudaErrorUnknown" : found->name;
}

const char* cudaGetErrorString(cudaError_t error) {
  const auto* found = emulated::Find(error);
  return found == nullptr ? "an error" : found->text;
}

cudaError_t cudaPeekAtLastError() {
  const Lock lock(TheState().mutex);
  return TheState().lost != cudaSuccess ? TheState().lost : TheState().last_error;
}

cudaError_t cudaGetLastError() {
  const Lock lock(TheState().mutex);
  const cudaError_t error = cudaPeekAtLastError();
  TheState().last_error = cudaSuccess;
  return error;
}

// --- devices ---------------------------------------------------------------------------------------------------------

cudaError_t cudaDriverGetVersion(int* version) {
  const Lock lock(TheState().mutex);
  *version = TheState().card.driver_version;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  const Lock lock(TheState().mutex);
  *count = 0;
  if (TheState().card.driver_version < CUDART_VERSION / 1000 * 1000) return Answer(cudaErrorInsufficientDriver);
  if (TheState().card.multiprocessors == 0) return Answer(cudaErrorNoDevice);
  *count = 1;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  const Lock lock(TheState().mutex);
  if (device != 0) return Answer(cudaErrorInvalidDevice);
  emulated::current_device = device;
  return Answer(TheState().lost);
}

cudaError_t cudaGetDevice(int* device) {
  *device = emulated::current_device;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  State& state = TheState();
  const Lock lock(state.mutex);
  if (device != 0) return Answer(cudaErrorInvalidDevice);
  const emulated::Card& card = state.card;
  *properties = {};
  std::snprintf(properties->name, sizeof(properties->name), "%s", card.name.c_str());
  properties->totalGlobalMem = card.memory;
  properties->sharedMemPerBlock = size_t{48} << 10;
  properties->regsPerBlock = card.registers_per_multiprocessor;
  properties->warpSize = 32;
  properties->maxThreadsPerBlock = 1024;
  properties->major = card.major;
  properties->minor = card.minor;
  properties->multiProcessorCount = card.multiprocessors;
  properties->maxThreadsPerMultiProcessor = card.threads_per_multiprocessor;
  properties->l2CacheSize = 4 << 20;
  properties->sharedMemPerMultiprocessor = card.shared_per_multiprocessor;
  properties->regsPerMultiprocessor = card.registers_per_multiprocessor;
  properties->cooperativeLaunch = 1;
  properties->sharedMemPerBlockOptin = card.shared_per_block;
  properties->maxBlocksPerMultiProcessor = card.blocks_per_multiprocessor;
  properties->clusterLaunch = card.major >= 9;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  cudaDeviceProp properties;
  const cudaError_t error = cudaGetDeviceProperties(&properties, device);
  if (error != cudaSuccess) return error;
  switch (attribute) {
    case cudaDevAttrMaxSharedMemoryPerBlock:
      *value = static_cast<int>(properties.sharedMemPerBlock);
      break;
    case cudaDevAttrMultiProcessorCount:
      *value = properties.multiProcessorCount;
      break;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      *value = properties.maxThreadsPerMultiProcessor;
      break;
    case cudaDevAttrL2CacheSize:
      *value = properties.l2CacheSize;
      break;
    case cudaDevAttrComputeCapabilityMajor:
      *value = properties.major;
      break;
    case cudaDevAttrComputeCapabilityMinor:
      *value = properties.minor;
      break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      *value = static_cast<int>(properties.sharedMemPerMultiprocessor);
      break;
    case cudaDevAttrMaxRegistersPerMultiprocessor:
      *value = properties.regsPerMultiprocessor;
      break;
    case cudaDevAttrCooperativeLaunch:
      *value = properties.cooperativeLaunch;
      break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = static_cast<int>(properties.sharedMemPerBlockOptin);
      break;
    case cudaDevAttrClusterLaunch:
      *value = properties.clusterLaunch;
      break;
  }
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  State& state = TheState();
  const Lock lock(state.mutex);
  *total = state.card.memory;
  *free = state.card.memory - state.memory.allocated();
  return Answer(state.lost);
}

// --- memory ----------------------------------------------------------------------------------------------------------

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  State& state = TheState();
  const Lock lock(state.mutex);
  *memory = nullptr;
  if (state.lost != cudaSuccess) return Answer(state.lost);
  for (const cudaStream_t stream : state.streams) {
    if (stream->capture != nullptr && stream->capture->ForbidsCalls()) return Answer(cudaErrorStreamCaptureUnsupported);
  }
  ++state.counted.allocations;
  if (state.allocations_to_failure > 0 && --state.allocations_to_failure == 0) state.allocations_fail = true;
  if (state.allocations_fail) return Answer(cudaErrorMemoryAllocation);
  if (bytes == 0) return cudaSuccess;
  *memory = state.memory.Allocate(bytes, state.card.memory);
  return Answer(*memory == nullptr ? cudaErrorMemoryAllocation : cudaSuccess);
}

cudaError_t cudaFree(void* memory) {
  State& state = TheState();
  const Lock lock(state.mutex);
  if (memory == nullptr) return cudaSuccess;
  if (state.lost == cudaSuccess) emulated::Drain(nullptr);
  if (!state.memory.Free(memory)) return Answer(cudaErrorInvalidValue);
  return Answer(state.lost);
}

cudaError_t cudaHostAlloc(void** memory, size_t bytes, unsigned int) {
  State& state = TheState();
  const Lock lock(state.mutex);
  if (state.lost != cudaSuccess) return Answer(state.lost);
  *memory = std::malloc(std::max<size_t>(bytes, 1));
  state.pinned[*memory] = bytes;
  return cudaSuccess;
}

cudaError_t cudaFreeHost(void* memory) {
  State& state = TheState();
  const Lock lock(state.mutex);
  if (state.lost == cudaSuccess) emulated::Drain(nullptr);
  if (state.pinned.erase(memory) == 0) return Answer(cudaErrorInvalidValue);
  std::free(memory);
  return Answer(state.lost);
}

namespace emulated {
namespace {

bool IsPinned(State& state, const void* at) {
  auto block = state.pinned.upper_bound(const_cast<void*>(at));
  if (block == state.pinned.begin()) return false;
  --block;
  return static_cast<const char*>(at) < static_cast<const char*>(block->first) + block->second;
}

// Whether the address is on the side that the kind of the copy says.
bool IsOnSide(State& state, const void* at, size_t bytes, bool device) {
  return device ? state.memory.Holds(at, bytes) : !state.memory.Contains(at);
}

}  // namespace
}  // namespace emulated

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  State& state = TheState();
  const Lock lock(state.mutex);
  if (bytes == 0) return Answer(state.lost);
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  if (kind == cudaMemcpyDefault || !emulated::IsOnSide(state, from, bytes, from_device) ||
      !emulated::IsOnSide(state, to, bytes, to_device)) {
    return Answer(cudaErrorInvalidValue);
  }
  const void* host = from_device ? to_device ? nullptr : to : from;
  const bool pageable = host != nullptr && !emulated::IsPinned(state, host);
  if (pageable && state.streams.count(stream) != 0 && stream->capture != nullptr) {
    stream->capture->invalid = true;
    return Answer(cudaErrorStreamCaptureUnsupported);
  }
  if (pageable && to_device) {
    // Staged before the call returns.
    const auto* begin = static_cast<const std::byte*>(from);
    return Answer(emulated::Enqueue(stream, [to, data = std::vector<std::byte>(begin, begin + bytes)] {
      std::memcpy(to, data.data(), data.size());
    }));
  }
  const cudaError_t error = emulated::Enqueue(stream, [=] { std::memmove(to, from, bytes); });
  if (error == cudaSuccess && pageable) emulated::Drain(stream);
  return Answer(error != cudaSuccess ? error : state.lost);
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  State& state = TheState();
  const Lock lock(state.mutex);
  if (state.lost != cudaSuccess) return Answer(state.lost);
  emulated::Drain(nullptr);
  CUstream_st own;
  state.streams.insert(&own);
  const cudaError_t error = cudaMemcpyAsync(to, from, bytes, kind, &own);
  emulated::Drain(&own);
  state.streams.erase(&own);
  return error;
}

cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t stream) {
  State& state = TheState();
  const Lock lock(state.mutex);
  if (bytes == 0) return Answer(state.lost);
  if (!state.memory.Holds(memory, bytes)) return Answer(cudaErrorInvalidValue);
  return Answer(emulated::Enqueue(stream, [=] { std::memset(memory, value, bytes); }));
}
