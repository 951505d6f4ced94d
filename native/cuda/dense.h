#pragma once

#include <cstdint>

#include "backend.h"
#include "cuda/context.h"

namespace slim::cuda {

/// Backend's operations of these names. They need no scratch.
void DenseForward(const CudaContext& context, const DenseShape& shape, int64_t batch, const float* x,
                  const float* kernel, const float* bias, float* y);
void DenseBackward(const CudaContext& context, const DenseShape& shape, int64_t batch, const float* x,
                   const float* kernel, const float* y, float* dy, float* dkernel, float* dbias, float* dx);

}  // namespace slim::cuda
