#pragma once

#include <cstddef>
#include <cstdint>

#include "backend.h"
#include "thread_pool.h"

namespace slim {

/// Backend's operations of these names.
void EmbeddingForward(ThreadPool& pool, const EmbeddingShape& shape, int64_t batch, const int32_t* tokens,
                      const float* table, float* y);
size_t EmbeddingScratchBytes(const EmbeddingShape& shape, int64_t batch);
void EmbeddingBackward(ThreadPool& pool, const EmbeddingShape& shape, int64_t batch, const int32_t* tokens,
                       const float* dy, float* dtable, void* scratch);

}  // namespace slim
