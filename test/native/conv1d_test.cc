#include "cpu/conv1d.h"

#include <algorithm>
#include <string>

#include "activation_reference.h"
#include "arrays.h"
#include "test.h"
#include "thread_pool.h"

// The oracle is the definition in backend.h, summed in double precision.

namespace slim::test {
namespace {

struct Case {
  Conv1dShape shape;
  int64_t batch;
  FloatArray x, kernel, bias, dy;
  std::vector<double> y, dkernel, dbias, dx;

  Case(const Conv1dShape& s, int64_t b, uint32_t seed)
      : Case(s, b, seed, RandomFloats(b * s.steps * s.channels, seed),
             RandomFloats(b * s.out_steps * s.filters, seed + 3)) {}

  Case(const Conv1dShape& s, int64_t b, uint32_t seed, FloatArray given_x, FloatArray given_dy)
      : shape(s),
        batch(b),
        x(std::move(given_x)),
        kernel(RandomFloats(s.taps * s.channels * s.filters, seed + 1,
                            std::sqrt(2.0f / static_cast<float>(s.taps * s.channels)))),
        bias(RandomFloats(s.filters, seed + 2, 0.5f)),
        dy(std::move(given_dy)) {
    Compute();
  }

  template <class Visit>
  void ForEachTerm(const Visit& visit) const {
    for (int64_t b = 0; b < batch; ++b) {
      for (int64_t t = 0; t < shape.out_steps; ++t) {
        for (int64_t k = 0; k < shape.taps; ++k) {
          const int64_t row = t * shape.stride + k * shape.dilation - shape.pad_left;
          if (row < 0 || row >= shape.steps) continue;
          visit((b * shape.out_steps + t) * shape.filters, (b * shape.steps + row) * shape.channels,
                k * shape.channels * shape.filters);
        }
      }
    }
  }

  void Compute() {
    const size_t outputs = static_cast<size_t>(batch * shape.out_steps * shape.filters);
    y.resize(outputs);
    for (size_t i = 0; i < outputs; ++i) y[i] = bias[i % bias.size()];
    ForEachTerm([&](int64_t out, int64_t in, int64_t weights) {
      for (int64_t c = 0; c < shape.channels; ++c) {
        for (int64_t f = 0; f < shape.filters; ++f) {
          y[size_t(out + f)] += double(x[size_t(in + c)]) * kernel[size_t(weights + c * shape.filters + f)];
        }
      }
    });
    for (double& value : y) value = reference::Activate(shape.activation, value);

    std::vector<double> d(outputs);
    dbias.assign(bias.size(), 0);
    dkernel.assign(kernel.size(), 0);
    dx.assign(x.size(), 0);
    for (size_t i = 0; i < outputs; ++i) {
      d[i] = dy[i] * reference::Derivative(shape.activation, y[i]);
      dbias[i % bias.size()] += d[i];
    }
    ForEachTerm([&](int64_t out, int64_t in, int64_t weights) {
      for (int64_t c = 0; c < shape.channels; ++c) {
        for (int64_t f = 0; f < shape.filters; ++f) {
          const size_t w = size_t(weights + c * shape.filters + f);
          dkernel[w] += double(x[size_t(in + c)]) * d[size_t(out + f)];
          dx[size_t(in + c)] += double(kernel[w]) * d[size_t(out + f)];
        }
      }
    });
  }
};

struct Result {
  FloatArray y, dkernel, dbias, dx, dtable;
};

Result Run(const Case& c, const SequenceInput& input, int threads) {
  ThreadPool pool(threads);
  Scratch scratch(Conv1dScratchBytes(c.shape, c.batch, input.x == nullptr, true, threads));
  Result result{Unwritten(c.dy.size()), Unwritten(c.kernel.size()), Unwritten(c.bias.size()), Unwritten(c.x.size()),
                Unwritten(input.vocabulary * c.shape.channels)};
  Conv1dForward(pool, c.shape, c.batch, input, {c.kernel.data(), c.bias.data()}, result.y.data(), scratch.get());
  FloatArray dy = c.dy;
  SequenceGradient dinput;
  (input.x != nullptr ? dinput.dx : dinput.dtable) = input.x != nullptr ? result.dx.data() : result.dtable.data();
  Conv1dBackward(pool, c.shape, c.batch, input, {c.kernel.data(), c.bias.data()}, result.y.data(), dy.data(),
                 {result.dkernel.data(), result.dbias.data()}, dinput, scratch.get());
  return result;
}

SequenceInput Dense(const Case& c) {
  SequenceInput input;
  input.x = c.x.data();
  return input;
}

void ExpectCase(const Case& c, const Result& result) {
  EXPECT_NEAR(RelativeError(result.y, c.y), 0, 2e-6);
  EXPECT_NEAR(RelativeError(result.dkernel, c.dkernel), 0, 2e-6);
  EXPECT_NEAR(RelativeError(result.dbias, c.dbias), 0, 2e-6);
}

Conv1dShape Valid(int64_t steps, int64_t channels, int64_t filters, int64_t taps, Activation activation) {
  return {steps, channels, filters, taps, 1, 1, 0, steps - taps + 1, activation};
}

// Tokens with padding in front, as padSequences makes them, and the rows they name.
struct Embedded {
  int64_t vocabulary;
  IntArray tokens;
  FloatArray table;

  Embedded(const Conv1dShape& shape, int64_t batch, int64_t words, bool zero_row, bool pad_behind, uint32_t seed)
      : vocabulary(words),
        tokens(RandomInts(batch * shape.steps, static_cast<int32_t>(words), seed)),
        table(RandomFloats(words * shape.channels, seed + 1)) {
    if (zero_row) std::fill_n(table.begin(), shape.channels, 0.0f);
    std::mt19937 random(seed);
    for (int64_t b = 0; b < batch; ++b) {
      // Sequences of all lengths, an empty one and a whole one among them.
      const int64_t padding = b == 0 ? shape.steps : b == 1 ? 0 : static_cast<int64_t>(random() % (shape.steps + 1));
      for (int64_t t = 0; t < padding; ++t) {
        tokens[static_cast<size_t>(b * shape.steps + (pad_behind ? shape.steps - 1 - t : t))] = 0;
      }
    }
  }

  SequenceInput Input() const {
    SequenceInput input;
    input.tokens = tokens.data();
    input.table = table.data();
    input.vocabulary = vocabulary;
    return input;
  }

  FloatArray Rows(int64_t channels) const {
    FloatArray rows;
    for (const int32_t token : tokens) {
      const auto row = table.begin() + token * channels;
      rows.insert(rows.end(), row, row + channels);
    }
    return rows;
  }

  std::vector<double> Sums(const std::vector<double>& dx, int64_t channels) const {
    std::vector<double> sums(table.size(), 0.0);
    for (size_t i = 0; i < dx.size(); ++i) {
      const size_t position = i / static_cast<size_t>(channels);
      sums[static_cast<size_t>(tokens[position] * channels) + i % static_cast<size_t>(channels)] += dx[i];
    }
    return sums;
  }
};

void ExpectEmbedded(const Conv1dShape& shape, int64_t batch, const Embedded& embedded, FloatArray dy) {
  const Case c(shape, batch, 40, embedded.Rows(shape.channels), std::move(dy));
  const Result one = Run(c, embedded.Input(), 1);
  ExpectCase(c, one);
  EXPECT_NEAR(RelativeError(one.dtable, embedded.Sums(c.dx, shape.channels)), 0, 2e-6);
  const Result three = Run(c, embedded.Input(), 3);
  EXPECT(one.y == three.y);
  EXPECT(one.dkernel == three.dkernel);
  EXPECT(one.dbias == three.dbias);
  EXPECT(one.dtable == three.dtable);
}

// A gradient as it comes from max-pooling: one row of each five is not zero.
FloatArray PooledGradient(const Conv1dShape& shape, int64_t batch, uint32_t seed) {
  FloatArray dy = RandomFloats(batch * shape.out_steps * shape.filters, seed);
  std::mt19937 random(seed);
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t f = 0; f < shape.filters; ++f) {
      for (int64_t t = 0; t < shape.out_steps; t += 5) {
        const int64_t winner = t + static_cast<int64_t>(random() % 5);
        for (int64_t row = t; row < std::min(t + 5, shape.out_steps); ++row) {
          if (row != winner) dy[static_cast<size_t>((b * shape.out_steps + row) * shape.filters + f)] = 0.0f;
        }
      }
    }
  }
  return dy;
}

TEST("a convolution of odd sizes and its gradients equal the plain sums") {
  const Conv1dShape shapes[] = {
      Valid(1, 1, 1, 1, Activation::kLinear),    Valid(7, 3, 5, 3, Activation::kTanh),
      Valid(37, 17, 33, 5, Activation::kRelu),   Valid(260, 16, 64, 5, Activation::kSigmoid),
      Valid(401, 10, 70, 4, Activation::kRelu),  Valid(9, 130, 129, 9, Activation::kHardSigmoid),
      Valid(50, 100, 128, 5, Activation::kRelu),
  };
  for (const Conv1dShape& shape : shapes) {
    for (const int64_t batch : {1, 3}) {
      const Case c(shape, batch, 11);
      const Result result = Run(c, Dense(c), 2);
      ExpectCase(c, result);
      EXPECT_NEAR(RelativeError(result.dx, c.dx), 0, 2e-6);
    }
  }
}

TEST("padding, stride and dilation are those of the definition") {
  struct Geometry {
    int64_t steps, taps, stride, dilation, pad_left, out_steps;
  };
  const Geometry geometries[] = {
      {20, 5, 1, 1, 2, 20},  // same
      {20, 4, 1, 1, 3, 20},  // causal
      {21, 3, 2, 1, 1, 11},  // same with a stride
      {21, 3, 2, 1, 0, 10},  // valid with a stride
      {23, 3, 3, 2, 1, 7},    {30, 4, 1, 3, 9, 30},
      {6, 2, 5, 1, 0, 1},     {3, 5, 1, 1, 2, 3},  // a kernel longer than the sequence
      {2, 3, 1, 4, 8, 2},                          // taps that see padding alone
      {400, 5, 1, 1, 4, 400}, {401, 5, 2, 1, 2, 201},
  };
  for (const Geometry& g : geometries) {
    for (const Activation activation : {Activation::kRelu, Activation::kLinear}) {
      const Conv1dShape shape{g.steps, 6, 19, g.taps, g.stride, g.dilation, g.pad_left, g.out_steps, activation};
      const Case c(shape, 3, 23);
      const Result result = Run(c, Dense(c), 2);
      ExpectCase(c, result);
      EXPECT_NEAR(RelativeError(result.dx, c.dx), 0, 2e-6);
    }
  }
}

TEST("the sparse gradient of a pooled convolution gives the plain sums") {
  for (const Activation activation : {Activation::kRelu, Activation::kTanh}) {
    for (const int64_t filters : {5, 64, 128, 131}) {
      for (const int64_t channels : {1, 20, 100, 128}) {
        const Conv1dShape shape = Valid(93, channels, filters, 5, activation);
        const Case c(shape, 3, 31, RandomFloats(shape.steps * channels * 3, 5), PooledGradient(shape, 3, 6));
        const Result result = Run(c, Dense(c), 2);
        ExpectCase(c, result);
        EXPECT_NEAR(RelativeError(result.dx, c.dx), 0, 2e-6);
        const Result alone = Run(c, Dense(c), 1);
        EXPECT(alone.dkernel == result.dkernel);
        EXPECT(alone.dx == result.dx);
      }
    }
  }
}

TEST("tokens and a table give what their rows give") {
  for (const bool zero_row : {true, false}) {
    for (const bool pad_behind : {true, false}) {
      for (const int64_t words : {2, 30, 3000}) {
        const Conv1dShape shape = Valid(211, 20, 37, 5, Activation::kRelu);
        const Embedded embedded(shape, 6, words, zero_row, pad_behind, 17);
        ExpectEmbedded(shape, 6, embedded, PooledGradient(shape, 6, 8));
        ExpectEmbedded(shape, 6, embedded, RandomFloats(6 * shape.out_steps * shape.filters, 9));
      }
    }
  }
}

TEST("tokens and a table give what their rows give with padding, stride and dilation") {
  const Conv1dShape shapes[] = {
      {60, 7, 9, 4, 1, 1, 3, 60, Activation::kTanh},
      {60, 7, 9, 5, 2, 1, 2, 30, Activation::kRelu},
      {60, 7, 9, 3, 1, 2, 2, 60, Activation::kLinear},
  };
  for (const Conv1dShape& shape : shapes) {
    const Embedded embedded(shape, 5, 40, true, false, 19);
    ExpectEmbedded(shape, 5, embedded, RandomFloats(5 * shape.out_steps * shape.filters, 4));
  }
}

TEST("inference gives the bits of training, and gradients that are not wanted are left out") {
  const Conv1dShape shape = Valid(70, 12, 24, 5, Activation::kRelu);
  const Case c(shape, 3, 60);
  ThreadPool pool(2);
  const Result trained = Run(c, Dense(c), 2);
  FloatArray y = Unwritten(c.dy.size());
  Scratch inference(Conv1dScratchBytes(shape, 3, false, false, 2));
  Conv1dForward(pool, shape, 3, Dense(c), {c.kernel.data(), c.bias.data()}, y.data(), inference.get());
  EXPECT(y == trained.y);

  Scratch scratch(Conv1dScratchBytes(shape, 3, false, true, 2));
  FloatArray dy = c.dy, dbias = Unwritten(c.bias.size());
  Conv1dBackward(pool, shape, 3, Dense(c), {c.kernel.data(), nullptr}, y.data(), dy.data(), {nullptr, dbias.data()}, {},
                 scratch.get());
  EXPECT(dbias == trained.dbias);
}

TEST("a convolution without bias leaves it out") {
  const Conv1dShape shape = Valid(30, 5, 17, 3, Activation::kLinear);
  Case c(shape, 2, 61);
  std::fill(c.bias.begin(), c.bias.end(), 0.0f);
  c.Compute();
  ThreadPool pool(1);
  Scratch scratch(Conv1dScratchBytes(shape, 2, false, true, 1));
  FloatArray y = Unwritten(c.dy.size());
  Conv1dForward(pool, shape, 2, Dense(c), {c.kernel.data(), nullptr}, y.data(), scratch.get());
  EXPECT_NEAR(RelativeError(y, c.y), 0, 2e-6);
}

}  // namespace
}  // namespace slim::test
