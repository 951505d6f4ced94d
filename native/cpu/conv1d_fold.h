#pragma once

#include <cstddef>
#include <cstdint>

#include "backend.h"
#include "cpu/conv1d_geometry.h"
#include "cpu/memory.h"
#include "thread_pool.h"

namespace slim {

size_t ConvolveFoldedBytes(const Conv1dShape& shape, int64_t batch);

/// What a tap of the kernel makes of a row depends on the token alone: it is computed once for each distinct token of
/// the blocks, and an output row is the sum of what its taps find there. Returns false, and has done nothing, where
/// tokens repeat too seldom for that to pay. Takes ConvolveFoldedBytes from the arena.
bool ConvolveFolded(ThreadPool& pool, const Conv1dShape& shape, int64_t batch, const SequenceInput& input,
                    const Conv1dWeights& weights, const RowBlock* blocks, size_t count, float* y, Arena& arena);

}  // namespace slim
