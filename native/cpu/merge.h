#pragma once

#include <cstdint>

#include "backend.h"
#include "thread_pool.h"

/// Backend's operations of these names.
namespace slim {

void MergeForward(ThreadPool& pool, Merge merge, int64_t count, const float* a, const float* b, float* y);
void MergeBackward(ThreadPool& pool, Merge merge, int64_t count, const float* a, const float* b, const float* dy,
                   float* da, float* db);

}  // namespace slim
