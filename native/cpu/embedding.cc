#include "cpu/embedding.h"

#include "cpu/memory.h"
#include "cpu/memory_operations.h"
#include "cpu/token_groups.h"

namespace slim {
namespace {

size_t Positions(const EmbeddingShape& shape, int64_t batch) { return static_cast<size_t>(batch * shape.steps); }

}  // namespace

void EmbeddingForward(ThreadPool& pool, const EmbeddingShape& shape, int64_t batch, const int32_t* tokens,
                      const float* table, float* y) {
  GatherRows(pool, table, static_cast<size_t>(shape.width) * sizeof(float), tokens, batch * shape.steps, y);
}

size_t EmbeddingScratchBytes(const EmbeddingShape& shape, int64_t batch) {
  const size_t positions = Positions(shape, batch);
  return TokenGroups::Bytes(positions) + TokenGroups::SumBytes(positions, static_cast<size_t>(shape.width));
}

void EmbeddingBackward(ThreadPool& pool, const EmbeddingShape& shape, int64_t batch, const int32_t* tokens,
                       const float* dy, float* dtable, void* scratch) {
  Arena arena(scratch, EmbeddingScratchBytes(shape, batch));
  TokenGroups groups(Positions(shape, batch), arena);
  groups.Add(tokens, 0, Positions(shape, batch));
  Zero(pool, dtable, static_cast<size_t>(shape.vocabulary * shape.width) * sizeof(float));
  groups.SumRows(dy, static_cast<size_t>(shape.width), dtable, pool, arena);
}

}  // namespace slim
