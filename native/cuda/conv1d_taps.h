#pragma once

#include "backend.h"
#include "cuda/context.h"

/// The kernel of a convolution as one matrix of its channels: [taps, C, F] with the taps side by side is [C, taps * F].
namespace slim::cuda {

void PutTapsSideBySide(const CudaContext& context, const Conv1dShape& shape, const float* kernel, float* side_by_side);

/// And back, as for the gradient.
void PutTapsApart(const CudaContext& context, const Conv1dShape& shape, const float* side_by_side, float* kernel);

}  // namespace slim::cuda
