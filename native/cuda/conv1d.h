#pragma once

#include <cstddef>
#include <cstdint>

#include "backend.h"
#include "cuda/context.h"

namespace slim::cuda {

/// Backend's operations of these names: products whose operands are read where they lie, so that no window is written
/// out. Behind an embedding the work is done by token where that is less (conv1d_fold.h); otherwise the table is read
/// in place of rows.
size_t Conv1dScratchBytes(const Conv1dShape& shape, int64_t batch, bool embedded, bool training);
void Conv1dForward(const CudaContext& context, const Conv1dShape& shape, int64_t batch, const SequenceInput& input,
                   const Conv1dWeights& weights, float* y, void* scratch);
void Conv1dBackward(const CudaContext& context, const Conv1dShape& shape, int64_t batch, const SequenceInput& input,
                    const Conv1dWeights& weights, const float* y, float* dy, const Conv1dGradients& gradients,
                    const SequenceGradient& dinput, void* scratch);

}  // namespace slim::cuda
