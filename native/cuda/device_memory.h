#pragma once

#include <cstddef>

namespace slim::cuda {

/// Of the device that is current; 256-byte aligned, of unspecified content, null for 0 bytes. Throws Error
/// (kOutOfMemory), naming the bytes and how many are free.
void* AllocateDeviceMemory(size_t bytes);

/// Waits for the work that may use it.
void FreeDeviceMemory(void* memory) noexcept;

}  // namespace slim::cuda
