#include <algorithm>

#include "devices.h"
#include "test.h"

namespace slim::test {
namespace {

void ExpectEmbedding(const EmbeddingShape& shape, int64_t batch, const IntArray& ids) {
  ExpectSameAsCpu([&](Bench& bench) {
    const int64_t rows = batch * shape.steps, table_size = shape.vocabulary * shape.width;
    const int32_t* tokens = bench.Put(ids);
    const float* table = bench.Put(RandomFloats(table_size, 2));
    const float* dy = bench.Put(RandomFloats(rows * shape.width, 3));
    float* y = bench.Space(rows * shape.width);
    float* dtable = bench.Space(table_size);
    void* scratch = bench.Scratch(bench->EmbeddingScratchBytes(shape, batch));
    bench->EmbeddingForward(shape, batch, tokens, table, y);
    bench->EmbeddingBackward(shape, batch, tokens, dy, dtable, scratch);
    return Outputs{{"y", bench.Get(y, rows * shape.width)}, {"dtable", bench.Get(dtable, table_size)}};
  });
}

TEST("rows of a table and their gradients by token equal the CPU's") {
  const EmbeddingShape shapes[] = {{1, 1, 1}, {5, 300, 3}, {37, 11, 20}, {400, 2, 8}, {130, 70000, 4}, {64, 257, 133}};
  for (const EmbeddingShape& shape : shapes) {
    ExpectEmbedding(shape, 3, RandomInts(3 * shape.steps, static_cast<int32_t>(shape.vocabulary), 1));
  }
}

TEST("a token that fills whole stretches of the batch is summed over all of them") {
  const EmbeddingShape shape{2100, 40, 3};
  IntArray tokens = RandomInts(2 * shape.steps, 40, 1);
  std::fill_n(tokens.begin(), 1900, 0);
  std::fill_n(tokens.begin() + 2500, 700, 39);
  ExpectEmbedding(shape, 2, tokens);
  ExpectEmbedding(shape, 2, IntArray(static_cast<size_t>(2 * shape.steps), 7));
  // Runs that begin and end where stretches of 128 do.
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<int32_t>(i / 256 % 40);
  ExpectEmbedding(shape, 2, tokens);
}

}  // namespace
}  // namespace slim::test
