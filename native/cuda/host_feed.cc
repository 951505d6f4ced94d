#include "cuda/host_feed.h"

#include <string>

#include "cuda/check.h"
#include "cuda/device_memory.h"
#include "errors.h"

namespace slim::cuda {
namespace {

void* AllocatePinned(size_t bytes) {
  void* memory = nullptr;
  const cudaError_t error = cudaHostAlloc(&memory, bytes, cudaHostAllocDefault);
  if (error == cudaSuccess) return memory;
  if (error != cudaErrorMemoryAllocation) Check(error, "get host memory that it copies from");
  static_cast<void>(cudaGetLastError());
  throw Error(ErrorCode::kOutOfHostMemory,
              "Could not get " + std::to_string(bytes) + " bytes of host memory that the GPU copies from");
}

cudaEvent_t MakeEvent() {
  cudaEvent_t event = nullptr;
  Check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "create an event");
  return event;
}

}  // namespace

CudaHostFeed::CudaHostFeed(const DeviceSession& session, size_t bytes) : session_(session) {
  session_.Enter();
  try {
    Make(bytes);
  } catch (...) {
    Release();
    throw;
  }
}

CudaHostFeed::~CudaHostFeed() { Release(); }

void CudaHostFeed::Make(size_t bytes) {
  Check(cudaStreamCreateWithFlags(&copies_, cudaStreamNonBlocking), "create a stream");
  for (Slot& slot : slots_) {
    slot.arrived = MakeEvent();
    slot.host = AllocatePinned(bytes);
  }
  received_ = MakeEvent();
  device_ = AllocateDeviceMemory(bytes);
}

// Nothing more can be done about an error here: a device that is lost gives nothing back.
void CudaHostFeed::Release() noexcept {
  const CudaContext& context = session_.context();
  static_cast<void>(cudaSetDevice(context.device.ordinal));
  if (copies_ != nullptr) static_cast<void>(cudaStreamSynchronize(copies_));
  static_cast<void>(cudaStreamSynchronize(context.stream));
  FreeDeviceMemory(device_);
  if (received_ != nullptr) static_cast<void>(cudaEventDestroy(received_));
  for (const Slot& slot : slots_) {
    if (slot.host != nullptr) static_cast<void>(cudaFreeHost(slot.host));
    if (slot.arrived != nullptr) static_cast<void>(cudaEventDestroy(slot.arrived));
  }
  if (copies_ != nullptr) static_cast<void>(cudaStreamDestroy(copies_));
}

void* CudaHostFeed::Next() {
  session_.Enter();
  const Slot& slot = slots_[1 - sent_];
  Check(cudaEventSynchronize(slot.arrived), "finish a copy");
  return slot.host;
}

void CudaHostFeed::Send(size_t bytes) {
  session_.Enter();
  sent_ = 1 - sent_;
  const Slot& slot = slots_[sent_];
  Check(cudaStreamWaitEvent(copies_, received_, 0), "order a copy");
  Check(cudaMemcpyAsync(device_, slot.host, bytes, cudaMemcpyHostToDevice, copies_), "copy to the device");
  Check(cudaEventRecord(slot.arrived, copies_), "order a copy");
}

void CudaHostFeed::Receive(void* destination, size_t offset, size_t bytes) {
  session_.Enter();
  const cudaStream_t stream = session_.context().stream;
  const auto* from = static_cast<const std::byte*>(device_) + offset;
  Check(cudaStreamWaitEvent(stream, slots_[sent_].arrived, 0), "order a copy");
  Check(cudaMemcpyAsync(destination, from, bytes, cudaMemcpyDeviceToDevice, stream), "copy memory");
  Check(cudaEventRecord(received_, stream), "order a copy");
}

}  // namespace slim::cuda
