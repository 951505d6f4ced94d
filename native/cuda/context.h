#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

#include "backend.h"

namespace slim::cuda {

/// What the choice of kernels and of their sizes depends on.
struct DeviceLimits {
  int ordinal = 0;
  int capability = 0;  // 90 for 9.0
  int multiprocessors = 0;
  int threads_per_multiprocessor = 0;
  int registers_per_multiprocessor = 0;
  size_t shared_per_multiprocessor = 0;
  size_t shared_per_block = 0;  // the most that AllowSharedMemory takes
  size_t l2_bytes = 0;
  bool clusters = false;
};

/// What an operation needs beside its operands. Work goes to the stream; nothing else is shared between operations but
/// the workspace, which is free whenever an operation begins, as they follow each other on the one stream.
struct CudaContext {
  DeviceLimits device;
  cudaStream_t stream = nullptr;
  const StepValues* step = nullptr;  // device memory: kernels read it when they run
  void* workspace = nullptr;  // device memory of kWorkspaceBytes, 256-byte aligned, zeroed at the start; see below
};

/// The first kTicketBytes are counters that are zero between operations (who uses them leaves them so), the rest is of
/// unspecified content.
inline constexpr size_t kTicketBytes = 1024;
inline constexpr size_t kWorkspaceBytes = size_t{1} << 16;

}  // namespace slim::cuda
