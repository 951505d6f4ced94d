#include <algorithm>
#include <random>

#include "devices.h"
#include "test.h"

namespace slim::test {
namespace {

constexpr int64_t kVocabulary = 29;

struct Setting {
  bool embedded = false;
  bool biased = true;
  Closeness closeness = {};
};

void ExpectConvolution(const Conv1dShape& shape, int64_t batch, const Setting& setting) {
  const auto run = [&](Bench& bench) {
    const int64_t rows = batch * shape.steps, out_rows = batch * shape.out_steps;
    const int64_t kernel_size = shape.taps * shape.channels * shape.filters;
    SequenceInput input;
    if (setting.embedded) {
      IntArray tokens = RandomInts(rows, kVocabulary, 1);
      // The first sequence is all padding, the others begin with some.
      std::fill_n(tokens.begin(), shape.steps, 0);
      for (int64_t b = 1; b < batch; ++b) std::fill_n(tokens.begin() + b * shape.steps, shape.steps / 3, 0);
      input.tokens = bench.Put(tokens);
      input.table = bench.Put(RandomFloats(kVocabulary * shape.channels, 2));
      input.vocabulary = kVocabulary;
    } else {
      input.x = bench.Put(RandomFloats(rows * shape.channels, 2));
    }
    const Conv1dWeights weights{bench.Put(RandomFloats(kernel_size, 3, 0.3f)),
                                setting.biased ? bench.Put(RandomFloats(shape.filters, 4)) : nullptr};
    float* dy = bench.Put(RandomFloats(out_rows * shape.filters, 5));
    float* y = bench.Space(out_rows * shape.filters);
    float* dkernel = bench.Space(kernel_size);
    float* dbias = setting.biased ? bench.Space(shape.filters) : nullptr;
    const int64_t dinput_size = (setting.embedded ? kVocabulary : rows) * shape.channels;
    float* dinput = bench.Space(dinput_size);
    SequenceGradient gradient;
    (setting.embedded ? gradient.dtable : gradient.dx) = dinput;
    void* scratch = bench.Scratch(bench->Conv1dScratchBytes(shape, batch, setting.embedded, true));
    bench->Conv1dForward(shape, batch, input, weights, y, scratch);
    bench->Conv1dBackward(shape, batch, input, weights, y, dy, {dkernel, dbias}, gradient, scratch);
    Outputs outputs = {{"y", bench.Get(y, out_rows * shape.filters)},
                       {"dkernel", bench.Get(dkernel, kernel_size)},
                       {"dinput", bench.Get(dinput, dinput_size)}};
    if (setting.biased) outputs.push_back({"dbias", bench.Get(dbias, shape.filters)});
    return outputs;
  };
  ExpectSameAsCpu(run, setting.closeness.tolerance, setting.closeness.precision);
}

Conv1dShape Valid(int64_t steps, int64_t channels, int64_t filters, int64_t taps, Activation activation) {
  return {steps, channels, filters, taps, 1, 1, 0, steps - taps + 1, activation};
}

TEST("a convolution and its gradients equal the CPU's at small and odd sizes") {
  ExpectConvolution(Valid(1, 1, 1, 1, Activation::kLinear), 1, {});
  ExpectConvolution(Valid(7, 3, 5, 3, Activation::kTanh), 3, {});
  ExpectConvolution(Valid(37, 17, 33, 5, Activation::kRelu), 2, {});
  ExpectConvolution(Valid(41, 8, 20, 5, Activation::kRelu), 3, {});
  ExpectConvolution(Valid(20, 4, 12, 4, Activation::kSigmoid), 2, {.biased = false});
}

TEST("padding, stride and dilation are those of the definition") {
  const Conv1dShape shapes[] = {
      {20, 4, 8, 5, 1, 1, 2, 20, Activation::kLinear},  // same
      {20, 3, 5, 4, 1, 1, 3, 20, Activation::kRelu},    // causal
      {21, 4, 8, 3, 2, 1, 1, 11, Activation::kTanh},    // same with a stride
      {23, 3, 5, 3, 3, 2, 1, 7, Activation::kLinear},   // all of them
      {30, 4, 4, 4, 1, 3, 9, 30, Activation::kRelu},   {3, 4, 4, 5, 1, 1, 2, 3, Activation::kLinear},
      {2, 3, 5, 3, 1, 4, 8, 2, Activation::kTanh},
  };
  for (const Conv1dShape& shape : shapes) ExpectConvolution(shape, 3, {});
}

TEST("tokens and a table give what the CPU makes of them") {
  for (const int64_t channels : {4, 7}) {
    ExpectConvolution(Valid(50, channels, 12, 5, Activation::kRelu), 5, {.embedded = true});
    ExpectConvolution({50, channels, 5, 3, 2, 1, 1, 25, Activation::kTanh}, 4, {.embedded = true});
  }
}

TEST("many rows, in large tiles and in parts of the sum, give what few give") {
  ExpectConvolution(Valid(300, 4, 72, 5, Activation::kRelu), 4, {.embedded = true});
}

// Without relu, whose gradient jumps where rounding moves an output over zero.
TEST("in tf32 and bfloat16 a convolution is as close to the CPU's as they are") {
  for (const Closeness& closeness : kReducedPrecisions) {
    ExpectConvolution(Valid(37, 17, 33, 5, Activation::kTanh), 2, {.closeness = closeness});
    ExpectConvolution({23, 3, 5, 3, 3, 2, 1, 7, Activation::kLinear}, 3, {.closeness = closeness});
    ExpectConvolution({21, 4, 8, 3, 2, 1, 1, 11, Activation::kSigmoid}, 3, {.embedded = true, .closeness = closeness});
    ExpectConvolution(Valid(120, 4, 72, 5, Activation::kLinear), 4, {.embedded = true, .closeness = closeness});
  }
}

// Small integers in x, a little above them: what is rounded gives, exactly, what the integers give.
TEST("in a precision a convolution multiplies rows that are rounded to it, forward and backward") {
  const struct {
    Precision precision;
    float excess;
  } cases[] = {{Precision::kTf32, 0x1p-13f}, {Precision::kBfloat16, 0x1p-10f}};
  const Conv1dShape shape = Valid(23, 8, 12, 5, Activation::kLinear);
  const int64_t batch = 2, row = shape.channels, out_rows = batch * shape.out_steps;
  const auto integers = [](int64_t count, uint32_t seed) {
    FloatArray values = AsFloats(RandomInts(count, 15, seed));
    for (float& value : values) value -= 7;
    return values;
  };
  FloatArray x = integers(batch * shape.steps * row, 1);
  const FloatArray kernel = integers(shape.taps * row * shape.filters, 2), dy = integers(out_rows * shape.filters, 3);
  FloatArray y(dy.size(), 0.0f), dkernel(kernel.size(), 0.0f);
  for (int64_t out = 0; out < out_rows; ++out) {
    const int64_t first = out / shape.out_steps * shape.steps + out % shape.out_steps;
    for (int64_t i = 0; i < shape.taps * row; ++i) {
      for (int64_t f = 0; f < shape.filters; ++f) {
        const float seen = x[static_cast<size_t>(first * row + i)];
        y[static_cast<size_t>(out * shape.filters + f)] += seen * kernel[static_cast<size_t>(i * shape.filters + f)];
        dkernel[static_cast<size_t>(i * shape.filters + f)] += seen * dy[static_cast<size_t>(out * shape.filters + f)];
      }
    }
  }
  for (const auto& [precision, excess] : cases) {
    if (!HasPrecision(precision)) continue;
    Bench bench(OpenCudaDevice(0, precision));
    FloatArray above = x;
    for (float& value : above) value *= 1 + excess;
    SequenceInput input;
    input.x = bench.Put(above);
    const Conv1dWeights weights{bench.Put(kernel), nullptr};
    float* own_y = bench.Space(static_cast<int64_t>(y.size()));
    float* own_dkernel = bench.Space(static_cast<int64_t>(dkernel.size()));
    void* scratch = bench.Scratch(bench->Conv1dScratchBytes(shape, batch, false, true));
    bench->Conv1dForward(shape, batch, input, weights, own_y, scratch);
    bench->Conv1dBackward(shape, batch, input, weights, own_y, bench.Put(dy), {own_dkernel, nullptr}, {}, scratch);
    EXPECT(bench.Get(own_y, static_cast<int64_t>(y.size())) == y);
    EXPECT(bench.Get(own_dkernel, static_cast<int64_t>(dkernel.size())) == dkernel);
  }
}

}  // namespace
}  // namespace slim::test
