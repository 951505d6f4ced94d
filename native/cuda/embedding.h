#pragma once

#include <cstddef>
#include <cstdint>

#include "backend.h"
#include "cuda/context.h"

namespace slim::cuda {

/// Backend's operations of these names.
void EmbeddingForward(const CudaContext& context, const EmbeddingShape& shape, int64_t batch, const int32_t* tokens,
                      const float* table, float* y);
size_t EmbeddingScratchBytes(const EmbeddingShape& shape, int64_t batch);
void EmbeddingBackward(const CudaContext& context, const EmbeddingShape& shape, int64_t batch, const int32_t* tokens,
                       const float* dy, float* dtable, void* scratch);

}  // namespace slim::cuda
