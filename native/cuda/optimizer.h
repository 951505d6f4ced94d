#pragma once

#include <cstddef>
#include <cstdint>

#include "backend.h"
#include "cuda/context.h"

namespace slim::cuda {

/// Backend's operations of these names; learning rate and step are those of the step's values when the kernels run.
size_t OptimizerScratchBytes(const OptimizerRule& rule, int64_t segments);
void Update(const CudaContext& context, const OptimizerRule& rule, int64_t count, float* parameters, float* gradients,
            float* state, const Segment* segments, int64_t segment_count, void* scratch);

}  // namespace slim::cuda
