#pragma once

#include <cstddef>
#include <cstdint>

#include "backend.h"
#include "philox.h"
#include "thread_pool.h"

namespace slim {

/// Backend's operations of these names; seed and step are those of `values`.
void Dropout(ThreadPool& pool, const StepValues& values, float rate, uint32_t stream, int64_t count, const float* x,
             float* y);
void SpatialDropout(ThreadPool& pool, const StepValues& values, float rate, uint32_t stream, int64_t batch,
                    int64_t steps, int64_t channels, const float* x, float* y);

/// factors[i] = what dropout multiplies element `first` + i of the stream by.
void DropoutFactors(const RandomStream& stream, float rate, uint64_t first, size_t count, float* factors);

}  // namespace slim
