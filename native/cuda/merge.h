#pragma once

#include <cstdint>

#include "backend.h"
#include "cuda/context.h"

/// Backend's operations of these names.
namespace slim::cuda {

void MergeForward(const CudaContext& context, Merge merge, int64_t count, const float* a, const float* b, float* y);
void MergeBackward(const CudaContext& context, Merge merge, int64_t count, const float* a, const float* b,
                   const float* dy, float* da, float* db);

}  // namespace slim::cuda
