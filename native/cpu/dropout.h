#pragma once

#include <cstdint>

#include "backend.h"
#include "cpu/thread_pool.h"

namespace slim {

/// Backend's operations of these names; seed and step are those of `values`.
void Dropout(ThreadPool& pool, const StepValues& values, float rate, uint32_t stream, int64_t count, const float* x,
             float* y);
void SpatialDropout(ThreadPool& pool, const StepValues& values, float rate, uint32_t stream, int64_t batch,
                    int64_t steps, int64_t channels, const float* x, float* y);

}  // namespace slim
