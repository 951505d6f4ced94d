#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "backend.h"

namespace slim::cuda {

class CublasLt;
class CudnnLstm;

/// What the choice of kernels and of their sizes depends on.
struct DeviceLimits {
  int ordinal = 0;
  std::string name;
  int capability = 0;  // 90 for 9.0
  int multiprocessors = 0;
  int threads_per_multiprocessor = 0;
  int registers_per_multiprocessor = 0;
  size_t shared_per_multiprocessor = 0;
  size_t shared_per_block = 0;  // the most that AllowSharedMemory takes
  size_t memory = 0;
  size_t l2_bytes = 0;
  bool clusters = false;
};

/// What an operation needs beside its operands. All work goes to the one stream, so operations follow each other, and
/// what they share is free whenever one begins.
struct CudaContext {
  DeviceLimits device;
  Precision precision = Precision::kFloat32;  // one that the device has
  cudaStream_t stream = nullptr;
  const StepValues* step = nullptr;  // device memory: kernels read it when they run
  /// Device memory, 256-byte aligned, of unspecified content.
  void* workspace = nullptr;
  size_t workspace_bytes = 0;
  /// Counters on the device for kernels whose last block finishes the work: zero whenever a kernel begins, so who
  /// counts clears.
  uint32_t* tickets = nullptr;
  /// Null where the library is not there.
  CublasLt* cublaslt = nullptr;
  /// Null before a layer asked for it (DeviceSession::OpenCudnn): to open it takes time and memory.
  CudnnLstm* cudnn = nullptr;
  /// What the environment asked for when the device was opened (recurrence_choice.h): the recurrence's kernel, empty
  /// for the device's own choice, and whether choices are told.
  std::string kernel_asked;
  bool tells_kernels = false;

  static constexpr size_t kTickets = 64;
};

}  // namespace slim::cuda
