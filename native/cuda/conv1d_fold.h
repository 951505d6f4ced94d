#pragma once

#include <cstddef>
#include <cstdint>

#include "backend.h"
#include "cuda/context.h"

/// A convolution behind an embedding, by token. What a tap of the kernel makes of a row depends on the row's token
/// alone: it is computed once for each row of the table, and an output row is the sum of what its taps find there. So
/// padding, most of what short texts are made of, costs no more than the reads of one row. Backward alike: the
/// gradients of the output rows that see a token are summed up first, for each tap by itself, and one product over the
/// table's rows makes the kernel's gradient of them, another the table's.
namespace slim::cuda {

/// Whether that takes less work than products over all windows.
bool FoldsConv1d(const Conv1dShape& shape, int64_t batch, const SequenceInput& input);

/// Enough for any vocabulary that is folded and for batches of up to `largest`.
size_t FoldedConv1dScratchBytes(const Conv1dShape& shape, int64_t largest, bool training);

void FoldedConv1dForward(const CudaContext& context, const Conv1dShape& shape, int64_t batch,
                         const SequenceInput& input, const Conv1dWeights& weights, float* y, void* scratch);

/// Gradients of the kernel, the bias and the table; null where they are not wanted.
void FoldedConv1dBackward(const CudaContext& context, const Conv1dShape& shape, int64_t batch,
                          const SequenceInput& input, const Conv1dWeights& weights, const float* y, float* dy,
                          const Conv1dGradients& gradients, float* dtable, void* scratch);

}  // namespace slim::cuda
