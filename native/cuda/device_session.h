#pragma once

#include <memory>

#include "cuda/context.h"
#include "cuda/cublaslt.h"

namespace slim::cuda {

/// Owns what a context names.
class DeviceSession {
 public:
  /// Devices before compute capability 8.0 compute in float32, whatever is asked for. Throws Error (kDevice,
  /// kOutOfMemory).
  DeviceSession(int ordinal, Precision precision);
  ~DeviceSession();
  DeviceSession(const DeviceSession&) = delete;
  DeviceSession& operator=(const DeviceSession&) = delete;

  const CudaContext& context() const { return context_; }
  StepValues* step_values() const { return step_values_; }

  /// Makes the device the calling thread's: before any other use by a thread.
  void Enter() const;

 private:
  void Release() noexcept;

  CudaContext context_;
  StepValues* step_values_ = nullptr;
  std::unique_ptr<CublasLt> cublaslt_;
};

}  // namespace slim::cuda
