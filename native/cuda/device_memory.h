#pragma once

#include <cstddef>

namespace slim::cuda {

/// Of the device that is current; 256-byte aligned, of unspecified content, null for 0 bytes. Throws Error
/// (kOutOfMemory), naming the bytes and how many are free.
///
/// The environment's SLIM_LSTM_DEVICE_MEMORY holds the bytes that this process may take of a GPU in this way, for those
/// who share one; what CUDA and NVIDIA's libraries take for themselves does not count. Where it holds no number, Error
/// (kInvalidArgument).
void* AllocateDeviceMemory(size_t bytes);

/// Waits for the work that may use it.
void FreeDeviceMemory(void* memory) noexcept;

/// What AllocateDeviceMemory may still give on the device that is current.
size_t FreeDeviceBytes();

}  // namespace slim::cuda
