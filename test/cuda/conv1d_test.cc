#include <algorithm>
#include <random>

#include "cuda/conv1d_fold.h"
#include "devices.h"
#include "test.h"

namespace slim::test {
namespace {

struct Setting {
  int64_t vocabulary = 0;  // 0: rows that are written
  IntArray tokens = {};    // random ones where there are none
  bool biased = true;
  bool kernel_gradient = true;
  bool input_gradient = true;
};

// The first sequence is all padding, the others begin with some.
IntArray PaddedTokens(const Conv1dShape& shape, int64_t batch, int64_t vocabulary) {
  IntArray tokens = RandomInts(batch * shape.steps, static_cast<int32_t>(vocabulary), 1);
  std::fill_n(tokens.begin(), shape.steps, 0);
  for (int64_t b = 1; b < batch; ++b) std::fill_n(tokens.begin() + b * shape.steps, shape.steps / 3, 0);
  return tokens;
}

void ExpectConvolution(const Conv1dShape& shape, int64_t batch, const Setting& setting) {
  ExpectSameAsCpu([&](Bench& bench) {
    const bool embedded = setting.vocabulary > 0;
    const int64_t rows = batch * shape.steps, out_rows = batch * shape.out_steps;
    const int64_t kernel_size = shape.taps * shape.channels * shape.filters;
    SequenceInput input;
    if (embedded) {
      const IntArray& tokens = setting.tokens;
      input.tokens = bench.Put(tokens.empty() ? PaddedTokens(shape, batch, setting.vocabulary) : tokens);
      input.table = bench.Put(RandomFloats(setting.vocabulary * shape.channels, 2));
      input.vocabulary = setting.vocabulary;
    } else {
      input.x = bench.Put(RandomFloats(rows * shape.channels, 2));
    }
    const Conv1dWeights weights{bench.Put(RandomFloats(kernel_size, 3, 0.3f)),
                                setting.biased ? bench.Put(RandomFloats(shape.filters, 4)) : nullptr};
    float* dy = bench.Put(RandomFloats(out_rows * shape.filters, 5));
    float* y = bench.Space(out_rows * shape.filters);
    float* dkernel = setting.kernel_gradient ? bench.Space(kernel_size) : nullptr;
    float* dbias = setting.biased ? bench.Space(shape.filters) : nullptr;
    const int64_t dinput_size = (embedded ? setting.vocabulary : rows) * shape.channels;
    float* dinput = setting.input_gradient ? bench.Space(dinput_size) : nullptr;
    SequenceGradient gradient;
    (embedded ? gradient.dtable : gradient.dx) = dinput;
    void* inference = bench.Scratch(bench->Conv1dScratchBytes(shape, batch, embedded, false));
    bench->Conv1dForward(shape, batch, input, weights, y, inference);
    void* training = bench.Scratch(bench->Conv1dScratchBytes(shape, batch, embedded, true));
    bench->Conv1dBackward(shape, batch, input, weights, y, dy, {dkernel, dbias}, gradient, training);
    Outputs outputs = {{"y", bench.Get(y, out_rows * shape.filters)}};
    if (setting.biased) outputs.push_back({"dbias", bench.Get(dbias, shape.filters)});
    if (setting.kernel_gradient) outputs.push_back({"dkernel", bench.Get(dkernel, kernel_size)});
    if (setting.input_gradient) outputs.push_back({"dinput", bench.Get(dinput, dinput_size)});
    return outputs;
  });
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
    ExpectConvolution(Valid(50, channels, 12, 5, Activation::kRelu), 5, {.vocabulary = 29});
    ExpectConvolution({50, channels, 5, 3, 2, 1, 1, 25, Activation::kTanh}, 4, {.vocabulary = 29});
  }
}

TEST("many rows, in large tiles and in parts of the sum, give what few give") {
  ExpectConvolution(Valid(300, 4, 72, 5, Activation::kRelu), 4, {.vocabulary = 29});
}

// --- by token --------------------------------------------------------------------------------------------------------

TEST("a table of at most half as many rows as there are windows is folded where rows are wide") {
  const Conv1dShape shape = Valid(24, 32, 8, 5, Activation::kRelu);  // 20 windows a sequence
  const int32_t tokens[1] = {};
  const float table[1] = {};
  const auto folds = [&](const Conv1dShape& of, int64_t vocabulary) {
    return cuda::FoldsConv1d(of, 3, {nullptr, tokens, table, vocabulary});
  };
  EXPECT(folds(shape, 30));
  EXPECT(!folds(shape, 31));
  EXPECT(!cuda::FoldsConv1d(shape, 3, {table, nullptr, nullptr, 0}));
  Conv1dShape other = shape;
  other.channels = 31;
  EXPECT(!folds(other, 30));
  // Each tap sees nothing but padding somewhere.
  other = {4, 32, 8, 2, 1, 6, 5, 4, Activation::kRelu};
  EXPECT(!folds(other, 2));
}

TEST("a convolution and its gradients by token equal the CPU's at small and odd sizes") {
  ExpectConvolution(Valid(2, 32, 1, 1, Activation::kLinear), 1, {.vocabulary = 1});
  ExpectConvolution(Valid(37, 33, 5, 3, Activation::kTanh), 3, {.vocabulary = 29});
  ExpectConvolution(Valid(41, 36, 20, 5, Activation::kRelu), 3, {.vocabulary = 29});
  ExpectConvolution(Valid(41, 36, 12, 4, Activation::kSigmoid), 3, {.vocabulary = 29, .biased = false});
  ExpectConvolution(Valid(19, 32, 72, 9, Activation::kRelu), 3, {.vocabulary = 7});
}

TEST("by token, padding, stride and dilation are those of the definition") {
  const Conv1dShape shapes[] = {
      {40, 32, 8, 5, 1, 1, 2, 40, Activation::kRelu},  // same
      {40, 33, 5, 4, 1, 1, 3, 40, Activation::kRelu},  // causal
      {41, 32, 8, 3, 2, 1, 1, 21, Activation::kTanh},  // same with a stride
      {47, 32, 5, 3, 3, 2, 1, 15, Activation::kRelu},  // all of them
      {40, 34, 4, 4, 1, 3, 9, 40, Activation::kLinear}, {8, 32, 4, 5, 1, 2, 4, 8, Activation::kRelu},
      {41, 32, 4, 1, 4, 1, 0, 11, Activation::kRelu},  // rows that no window sees
  };
  for (const Conv1dShape& shape : shapes) ExpectConvolution(shape, 3, {.vocabulary = 11});
}

TEST("by token, it is all one which tokens there are") {
  const Conv1dShape shape = Valid(44, 32, 8, 5, Activation::kRelu);
  const int64_t positions = 3 * shape.steps, most = 3 * shape.out_steps / 2;
  const auto places = static_cast<size_t>(positions);
  IntArray all(places), ends(places);
  for (size_t i = 0; i < places; ++i) {
    all[i] = static_cast<int32_t>(i * 7 % static_cast<size_t>(most));
    ends[i] = i % 3 == 0 ? static_cast<int32_t>(most - 1) : 0;
  }
  ExpectConvolution(shape, 3, {.vocabulary = most, .tokens = IntArray(places, 0)});
  ExpectConvolution(shape, 3, {.vocabulary = most, .tokens = IntArray(places, 5)});
  ExpectConvolution(shape, 3, {.vocabulary = most, .tokens = all});
  ExpectConvolution(shape, 3, {.vocabulary = most, .tokens = ends});
}

TEST("by token, a gradient that is not wanted is left out") {
  const Conv1dShape shape = Valid(40, 32, 8, 3, Activation::kRelu);
  ExpectConvolution(shape, 3, {.vocabulary = 17, .kernel_gradient = false});
  ExpectConvolution(shape, 3, {.vocabulary = 17, .input_gradient = false});
  ExpectConvolution(shape, 3, {.vocabulary = 17, .kernel_gradient = false, .input_gradient = false});
}

TEST("by token, padding that fills many stretches of the batch is summed over all of them") {
  const Conv1dShape shape = Valid(700, 32, 4, 3, Activation::kRelu);
  IntArray tokens = RandomInts(3 * shape.steps, 40, 1);
  std::fill_n(tokens.begin(), 1900, 0);
  ExpectConvolution(shape, 3, {.vocabulary = 40, .tokens = tokens});
}

}  // namespace
}  // namespace slim::test
