#pragma once

#include <cstddef>
#include <cstdint>

#include "backend.h"
#include "thread_pool.h"

namespace slim {

/// Backend's operations of these names.
size_t Conv1dScratchBytes(const Conv1dShape& shape, int64_t batch, bool embedded, bool training, int threads);
void Conv1dForward(ThreadPool& pool, const Conv1dShape& shape, int64_t batch, const SequenceInput& input,
                   const Conv1dWeights& weights, float* y, void* scratch);
void Conv1dBackward(ThreadPool& pool, const Conv1dShape& shape, int64_t batch, const SequenceInput& input,
                    const Conv1dWeights& weights, const float* y, float* dy, const Conv1dGradients& gradients,
                    const SequenceGradient& dinput, void* scratch);

}  // namespace slim
