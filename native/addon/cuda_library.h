#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "backend.h"
#include "cuda/library.h"

namespace slim::addon {

/// libslim_lstm_cuda.so as it was found.
struct CudaLibrary {
  std::string path;    // where it was looked for; with .br at its end the packed form
  std::string reason;  // why no GPU can be used and what to do; empty where one can
  /// What it told of the machine; empty where it could not be opened.
  cuda::Report report;
  cuda::InitFunction* init = nullptr;  // null where it could not be opened
};

/// The library beside the addon, or the one that SLIM_LSTM_CUDA_LIBRARY names; where it lies there only packed, the one
/// whose file would hold `contents`, which are empty where they cannot be had. Each is opened once in the life of the
/// process and stays open; every later call gets the same answer. Any thread may call it.
const CudaLibrary& OpenCudaLibrary(std::span<const uint8_t> contents = {});

/// The packed file that OpenCudaLibrary takes its contents from; empty where it needs none, or has opened it already.
/// Any thread may call it.
std::string PackedCudaLibrary();

/// Whether the driver's own library is there, without which no GPU can be used.
bool HasCudaDriver();

/// The GPU of that index, or the first that can be used where it is negative, computing in that precision. Throws Error
/// (kDevice, kOutOfMemory).
std::unique_ptr<Backend> OpenCudaDevice(int index, Precision precision);

}  // namespace slim::addon
