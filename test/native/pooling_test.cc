#include "cpu/pooling.h"

#include <algorithm>

#include "arrays.h"
#include "test.h"
#include "thread_pool.h"

namespace slim::test {
namespace {

struct Plain {
  FloatArray y, dx;
  IntArray winners;
};

// The definition in backend.h.
Plain PlainPool(const MaxPoolShape& s, int64_t batch, const FloatArray& x, const FloatArray& dy) {
  Plain plain;
  plain.dx.assign(x.size(), 0.0f);
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t t = 0; t < s.out_steps; ++t) {
      for (int64_t c = 0; c < s.channels; ++c) {
        int64_t winner = -1;
        for (int64_t k = 0; k < s.pool; ++k) {
          const int64_t row = t * s.stride - s.pad_left + k;
          if (row < 0 || row >= s.steps) continue;
          const auto at = [&](int64_t r) { return x[static_cast<size_t>((b * s.steps + r) * s.channels + c)]; };
          if (winner < 0 || at(row) > at(winner)) winner = row;
        }
        const size_t from = static_cast<size_t>((b * s.steps + winner) * s.channels + c);
        plain.dx[from] += dy[plain.y.size()];
        plain.y.push_back(x[from]);
        plain.winners.push_back(static_cast<int32_t>(winner));
      }
    }
  }
  return plain;
}

const MaxPoolShape kShapes[] = {
    {1, 1, 1, 1, 0, 1},  {10, 3, 5, 5, 0, 2},   {996, 128, 5, 5, 0, 199}, {13, 17, 5, 5, 0, 2},    {13, 17, 5, 5, 1, 3},
    {9, 33, 2, 3, 0, 3}, {11, 20, 3, 1, 1, 11}, {12, 5, 4, 2, 1, 6},      {37, 130, 37, 37, 0, 1}, {8, 7, 3, 10, 0, 1},
};

TEST("maxima, winners and gradients are those of the definition") {
  for (const MaxPoolShape& shape : kShapes) {
    for (const int64_t batch : {1, 3}) {
      FloatArray x = RandomFloats(batch * shape.steps * shape.channels, 3);
      // Few distinct values, so that there are ties.
      for (float& value : x) value = std::round(value * 4) / 4;
      const int64_t outputs = batch * shape.out_steps * shape.channels;
      const FloatArray dy = RandomFloats(outputs, 4);
      const Plain plain = PlainPool(shape, batch, x, dy);
      for (const int threads : {1, 3}) {
        ThreadPool pool(threads);
        FloatArray y = Unwritten(outputs), inferred = Unwritten(outputs),
                   dx = Unwritten(batch * shape.steps * shape.channels);
        IntArray winners(static_cast<size_t>(outputs), -7);
        MaxPoolForward(pool, shape, batch, x.data(), y.data(), winners.data());
        EXPECT(y == plain.y);
        EXPECT(winners == plain.winners);
        MaxPoolForward(pool, shape, batch, x.data(), inferred.data(), nullptr);
        EXPECT(inferred == plain.y);
        MaxPoolBackward(pool, shape, batch, winners.data(), dy.data(), dx.data());
        EXPECT_NEAR(RelativeError(dx, plain.dx), 0, 1e-6);
      }
    }
  }
}

TEST("NaN passes through a pooling") {
  const MaxPoolShape shape{6, 2, 3, 3, 0, 2};
  FloatArray x = RandomFloats(12, 1);
  x[2] = NAN;
  FloatArray y = Unwritten(4);
  IntArray winners(4);
  ThreadPool pool(1);
  MaxPoolForward(pool, shape, 1, x.data(), y.data(), winners.data());
  EXPECT(std::isnan(y[0]));
  EXPECT_EQ(winners[0], 1);
  EXPECT(!std::isnan(y[1]) && !std::isnan(y[2]) && !std::isnan(y[3]));
}

}  // namespace
}  // namespace slim::test
