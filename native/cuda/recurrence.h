#pragma once

#include <cstddef>
#include <cstdint>

#include "backend.h"
#include "cuda/context.h"

/// The recurrence on CUDA: Backend's operations of the same names. Shapes, aliasing and the meaning of null are those
/// of backend.h. Which kernels serve a shape: recurrence_choice.h.
namespace slim::cuda {

size_t RecurrenceCacheBytes(const CudaContext& context, const RecurrenceShape& shape, int64_t batch, bool embedded);

/// Of either pass.
size_t RecurrenceScratchBytes(const CudaContext& context, const RecurrenceShape& shape, int64_t batch, bool embedded,
                              bool training);

void RecurrenceForward(const CudaContext& context, const RecurrenceShape& shape, int64_t batch,
                       const SequenceInput& input, const uint8_t* mask, const RecurrenceWeights& weights,
                       const StateOutput& output, void* cache, void* scratch);

void RecurrenceBackward(const CudaContext& context, const RecurrenceShape& shape, int64_t batch,
                        const SequenceInput& input, const uint8_t* mask, const RecurrenceWeights& weights,
                        const StateGradient& doutput, void* cache, const RecurrenceGradients& gradients,
                        const SequenceGradient& dinput, void* scratch);

}  // namespace slim::cuda
