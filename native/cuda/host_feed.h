#pragma once

#include <cuda_runtime.h>

#include "backend.h"
#include "cuda/device_session.h"

namespace slim::cuda {

/// Pinned memory of the host for two parcels, so that one is written while the other leaves; memory of the device for
/// one; and a stream of its own for the copies between them. Three orders hold, each by an event: the host writes where
/// the copy from there is done; an operation reads what has arrived; a copy begins when what was there was received.
class CudaHostFeed final : public HostFeed {
 public:
  /// Throws Error (kOutOfMemory, kOutOfHostMemory, kDevice). The session outlives the feed.
  CudaHostFeed(const DeviceSession& session, size_t bytes);
  ~CudaHostFeed() override;
  CudaHostFeed(const CudaHostFeed&) = delete;
  CudaHostFeed& operator=(const CudaHostFeed&) = delete;

  void* Next() override;
  void Send(size_t bytes) override;
  void Receive(void* destination, size_t offset, size_t bytes) override;

 private:
  struct Slot {
    void* host = nullptr;
    cudaEvent_t arrived = nullptr;
  };

  void Make(size_t bytes);
  void Release() noexcept;

  const DeviceSession& session_;
  cudaStream_t copies_ = nullptr;
  Slot slots_[2];
  void* device_ = nullptr;
  cudaEvent_t received_ = nullptr;
  int sent_ = 0;  // the slot that was sent last; the other is written next
};

}  // namespace slim::cuda
