#include "cpu/memory_operations.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "cpu/parallel_range.h"
#include "errors.h"

namespace slim {
namespace {

constexpr size_t kDeviceAlignment = 256;
constexpr size_t kHugePage = size_t{2} << 20;

// Bytes that one task moves.
constexpr size_t kBytesPerTask = size_t{1} << 18;

}  // namespace

void* AllocateDeviceMemory(size_t bytes) {
  const size_t alignment = bytes >= kHugePage ? kHugePage : kDeviceAlignment;
  void* memory = nullptr;
  if (bytes <= SIZE_MAX - alignment) {
    const size_t rounded = (std::max<size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
    memory = std::aligned_alloc(alignment, rounded);
  }
  if (memory == nullptr) {
    throw Error(ErrorCode::kOutOfMemory, "Could not get " + std::to_string(bytes) + " bytes of memory");
  }
#if defined(__linux__)
  // Only advice: where the system refuses, small pages serve.
  if (alignment == kHugePage) static_cast<void>(madvise(memory, bytes, MADV_HUGEPAGE));
#endif
  return memory;
}

void FreeDeviceMemory(void* memory) noexcept { std::free(memory); }

void Zero(ThreadPool& pool, void* memory, size_t bytes) {
  ParallelRange(pool, bytes, kBytesPerTask,
                [&](size_t begin, size_t end) { std::memset(static_cast<uint8_t*>(memory) + begin, 0, end - begin); });
}

void Copy(ThreadPool& pool, void* destination, const void* source, size_t bytes) {
  ParallelRange(pool, bytes, kBytesPerTask, [&](size_t begin, size_t end) {
    std::memcpy(static_cast<uint8_t*>(destination) + begin, static_cast<const uint8_t*>(source) + begin, end - begin);
  });
}

void GatherRows(ThreadPool& pool, const void* source, size_t row_bytes, const int32_t* order, int64_t rows,
                void* destination) {
  if (row_bytes == 0) return;
  const size_t rows_per_task = std::max<size_t>(1, kBytesPerTask / row_bytes);
  ParallelRange(pool, static_cast<size_t>(rows), rows_per_task, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      std::memcpy(static_cast<uint8_t*>(destination) + i * row_bytes,
                  static_cast<const uint8_t*>(source) + static_cast<size_t>(order[i]) * row_bytes, row_bytes);
    }
  });
}

void TokenMask(ThreadPool& pool, const int32_t* tokens, int64_t count, uint8_t* mask) {
  ParallelRange(pool, static_cast<size_t>(count), kElementsPerTask, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) mask[i] = tokens[i] != 0;
  });
}

}  // namespace slim
