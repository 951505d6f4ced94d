#include "cpu/embedding.h"

#include "arrays.h"
#include "test.h"
#include "thread_pool.h"

namespace slim::test {
namespace {

TEST("an embedding looks rows up and sums gradients by token") {
  struct Case {
    EmbeddingShape shape;
    int64_t batch;
  };
  const Case cases[] = {{{1, 1, 1}, 1}, {{2, 5, 7}, 3}, {{37, 3, 17}, 33}, {{400, 9000, 20}, 5}, {{500, 2, 100}, 9}};
  for (const Case& c : cases) {
    const int64_t positions = c.batch * c.shape.steps;
    const size_t width = static_cast<size_t>(c.shape.width);
    const IntArray tokens = RandomInts(positions, static_cast<int32_t>(c.shape.vocabulary), 12);
    const FloatArray table = RandomFloats(c.shape.vocabulary * c.shape.width, 13);
    const FloatArray dy = RandomFloats(positions * c.shape.width, 14);
    FloatArray y_plain;
    std::vector<double> sums(table.size(), 0.0);
    for (size_t i = 0; i < tokens.size(); ++i) {
      const size_t row = static_cast<size_t>(tokens[i]) * width;
      for (size_t j = 0; j < width; ++j) {
        y_plain.push_back(table[row + j]);
        sums[row + j] += dy[i * width + j];
      }
    }
    FloatArray alone;
    for (const int threads : {1, 3}) {
      ThreadPool pool(threads);
      Scratch scratch(EmbeddingScratchBytes(c.shape, c.batch));
      FloatArray y = Unwritten(positions * c.shape.width), dtable = Unwritten(static_cast<int64_t>(table.size()));
      EmbeddingForward(pool, c.shape, c.batch, tokens.data(), table.data(), y.data());
      EXPECT(y == y_plain);
      EmbeddingBackward(pool, c.shape, c.batch, tokens.data(), dy.data(), dtable.data(), scratch.get());
      EXPECT_NEAR(RelativeError(dtable, sums), 0, 1e-6);
      if (threads == 1) alone = dtable;
      EXPECT(dtable == alone);
    }
  }
}

}  // namespace
}  // namespace slim::test
