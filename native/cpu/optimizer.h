#pragma once

#include <cstddef>
#include <cstdint>

#include "backend.h"
#include "thread_pool.h"

namespace slim {

/// Backend's operations of these names; learning rate and step are those of `values`.
size_t OptimizerScratchBytes(const OptimizerRule& rule, int64_t count, int64_t segments);
void Update(ThreadPool& pool, const StepValues& values, const OptimizerRule& rule, int64_t count, float* parameters,
            float* gradients, float* state, const Segment* segments, int64_t segment_count, void* scratch);

}  // namespace slim
