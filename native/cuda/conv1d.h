#pragma once

#include <cstddef>
#include <cstdint>

#include "backend.h"
#include "cuda/context.h"

namespace slim::cuda {

/// Backend's operations of these names. Behind an embedding the work is done by token where that is less
/// (conv1d_fold.h). Otherwise it is products over windows, which cuBLASLt multiplies where it is worth writing them out
/// for it (conv1d_windows.h), and our own kernel where they lie; then the table is read in place of rows.
size_t Conv1dScratchBytes(const CudaContext& context, const Conv1dShape& shape, int64_t batch, bool embedded,
                          bool training);
void Conv1dForward(const CudaContext& context, const Conv1dShape& shape, int64_t batch, const SequenceInput& input,
                   const Conv1dWeights& weights, float* y, void* scratch);
void Conv1dBackward(const CudaContext& context, const Conv1dShape& shape, int64_t batch, const SequenceInput& input,
                    const Conv1dWeights& weights, const float* y, float* dy, const Conv1dGradients& gradients,
                    const SequenceGradient& dinput, void* scratch);

}  // namespace slim::cuda
