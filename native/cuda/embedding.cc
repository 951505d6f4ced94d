#include "cuda/embedding.h"

#include "cuda/memory_operations.h"
#include "cuda/token_groups.h"

namespace slim::cuda {

void EmbeddingForward(const CudaContext& context, const EmbeddingShape& shape, int64_t batch, const int32_t* tokens,
                      const float* table, float* y) {
  GatherFloatRows(context, table, shape.width, tokens, batch * shape.steps, y);
}

size_t EmbeddingScratchBytes(const EmbeddingShape& shape, int64_t batch) {
  return TokenGroupsBytes(batch * shape.steps, shape.width);
}

void EmbeddingBackward(const CudaContext& context, const EmbeddingShape& shape, int64_t batch, const int32_t* tokens,
                       const float* dy, float* dtable, void* scratch) {
  const TokenOrder order = GroupTokens(context, tokens, batch * shape.steps, shape.vocabulary, scratch);
  Zero(context, dtable, static_cast<size_t>(shape.vocabulary * shape.width) * sizeof(float));
  SumRowsByToken(context, order, dy, shape.width, false, dtable, scratch);
}

}  // namespace slim::cuda
