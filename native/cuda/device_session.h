#pragma once

#include <memory>

#include "cuda/context.h"
#include "cuda/cublaslt.h"
#include "cuda/cudnn.h"

namespace slim::cuda {

/// Owns what a context names.
class DeviceSession {
 public:
  /// A device that has not the precision that is asked for computes in float32. Throws Error (kDevice,
  /// kOutOfMemory, and kInvalidArgument of LimitDeviceMemory).
  DeviceSession(int ordinal, Precision precision);
  ~DeviceSession();
  DeviceSession(const DeviceSession&) = delete;
  DeviceSession& operator=(const DeviceSession&) = delete;

  const CudaContext& context() const { return context_; }
  StepValues* step_values() const { return step_values_; }

  /// Sees to it that the context has cuDNN. Throws Error (kDevice) where it is not there or does not start.
  void OpenCudnn();

  /// Makes the device the calling thread's: before any other use by a thread.
  void Enter() const;

 private:
  void Release() noexcept;

  CudaContext context_;
  StepValues* step_values_ = nullptr;
  std::unique_ptr<CublasLt> cublaslt_;
  std::unique_ptr<CudnnLstm> cudnn_;
};

}  // namespace slim::cuda
