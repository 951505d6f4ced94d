#pragma once

#include <cstddef>

namespace slim::cuda {

/// From now on, AllocateDeviceMemory gives of the device that is current what the environment lets it: for those who
/// share a GPU, SLIM_LSTM_DEVICE_MEMORY holds the bytes that this process may take of it; what CUDA and NVIDIA's
/// libraries take for themselves does not count. To be called when a device is opened: then the program waits and does
/// not write its environment. Throws Error (kInvalidArgument) where it holds no number.
void LimitDeviceMemory();

/// Of the device that is current; 256-byte aligned, of unspecified content, null for 0 bytes. Throws Error
/// (kOutOfMemory), naming the bytes and how many are free.
void* AllocateDeviceMemory(size_t bytes);

/// Waits for the work that may use it.
void FreeDeviceMemory(void* memory) noexcept;

/// What AllocateDeviceMemory may still give on the device that is current, but for some that is kept back: CUDA wants
/// it for kernels, which it loads when they first run, and for recorded steps, cuBLASLt and cuDNN for themselves.
size_t FreeDeviceBytes();

}  // namespace slim::cuda
