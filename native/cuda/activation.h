#pragma once

#include <cstdint>

#include "backend.h"
#include "cuda/context.h"

namespace slim::cuda {

/// Backend's operations of these names.
void ActivationForward(const CudaContext& context, Activation activation, int64_t rows, int64_t width, const float* x,
                       float* y);
void ActivationBackward(const CudaContext& context, Activation activation, int64_t rows, int64_t width, const float* y,
                        const float* dy, float* dx);

}  // namespace slim::cuda
