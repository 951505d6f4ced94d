#pragma once

#include <cstddef>
#include <cstdint>

#include "backend.h"
#include "thread_pool.h"

/// The recurrence on the CPU: Backend's operations of the same names, with the threads they run on and the step's
/// values. Shapes, aliasing and the meaning of null are those of backend.h.
namespace slim {

size_t RecurrenceCacheBytes(const RecurrenceShape& shape, int64_t batch, bool embedded);

/// Of either pass, on a pool of `threads` threads.
size_t RecurrenceScratchBytes(const RecurrenceShape& shape, int64_t batch, bool embedded, bool training, int threads);

void RecurrenceForward(ThreadPool& pool, const StepValues& step, const RecurrenceShape& shape, int64_t batch,
                       const SequenceInput& input, const uint8_t* mask, const RecurrenceWeights& weights,
                       const StateOutput& output, void* cache, void* scratch);

void RecurrenceBackward(ThreadPool& pool, const StepValues& step, const RecurrenceShape& shape, int64_t batch,
                        const SequenceInput& input, const uint8_t* mask, const RecurrenceWeights& weights,
                        const StateGradient& doutput, void* cache, const RecurrenceGradients& gradients,
                        const SequenceGradient& dinput, void* scratch);

}  // namespace slim
