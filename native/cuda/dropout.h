#pragma once

#include <cstdint>

#include "backend.h"
#include "cuda/context.h"

namespace slim::cuda {

/// Backend's operations of these names; seed and step are those of the step's values when the kernels run.
void Dropout(const CudaContext& context, float rate, uint32_t stream, int64_t count, const float* x, float* y);
void SpatialDropout(const CudaContext& context, float rate, uint32_t stream, int64_t batch, int64_t steps,
                    int64_t channels, const float* x, float* y);

}  // namespace slim::cuda
