#pragma once

#include <cstddef>
#include <cstdint>

#include "thread_pool.h"

/// Backend's operations that move bytes.
namespace slim {

/// 256-byte aligned; from 2 MB on it begins on a huge page and asks the system for such pages. Throws Error
/// (kOutOfMemory), naming the bytes.
void* AllocateDeviceMemory(size_t bytes);
void FreeDeviceMemory(void* memory) noexcept;

void Zero(ThreadPool& pool, void* memory, size_t bytes);
void Copy(ThreadPool& pool, void* destination, const void* source, size_t bytes);

/// Row i of `destination` = row order[i] of `source`.
void GatherRows(ThreadPool& pool, const void* source, size_t row_bytes, const int32_t* order, int64_t rows,
                void* destination);

/// mask[i] = tokens[i] != 0
void TokenMask(ThreadPool& pool, const int32_t* tokens, int64_t count, uint8_t* mask);

}  // namespace slim
