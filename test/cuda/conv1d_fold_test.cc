#include "cuda/conv1d_fold.h"

#include <algorithm>

#include "devices.h"
#include "test.h"

namespace slim::test {
namespace {

struct Setting {
  int64_t vocabulary;
  IntArray tokens = {};  // random ones where there are none
  bool biased = true;
  bool kernel_gradient = true;
  bool table_gradient = true;
  bool replayed = false;  // after other tokens
};

// The first sequence is all padding, the others begin with some.
IntArray PaddedTokens(const Conv1dShape& shape, int64_t batch, int64_t vocabulary) {
  IntArray tokens = RandomInts(batch * shape.steps, static_cast<int32_t>(vocabulary), 1);
  std::fill_n(tokens.begin(), shape.steps, 0);
  for (int64_t b = 1; b < batch; ++b) std::fill_n(tokens.begin() + b * shape.steps, shape.steps / 3, 0);
  return tokens;
}

void ExpectFolded(const Conv1dShape& shape, int64_t batch, const Setting& setting) {
  ExpectSameAsCpu([&](Bench& bench) {
    const int64_t outputs = batch * shape.out_steps * shape.filters;
    const int64_t kernel_size = shape.taps * shape.channels * shape.filters;
    const int64_t table_size = setting.vocabulary * shape.channels;
    const IntArray tokens = setting.tokens.empty() ? PaddedTokens(shape, batch, setting.vocabulary) : setting.tokens;
    int32_t* on_device = bench.Put(setting.replayed ? IntArray(tokens.rbegin(), tokens.rend()) : tokens);
    SequenceInput input;
    input.tokens = on_device;
    input.table = bench.Put(RandomFloats(table_size, 2));
    input.vocabulary = setting.vocabulary;
    if (!cuda::FoldsConv1d(shape, batch, input)) Fail(__FILE__, __LINE__, "it is not folded");
    const Conv1dWeights weights{bench.Put(RandomFloats(kernel_size, 3, 0.3f)),
                                setting.biased ? bench.Put(RandomFloats(shape.filters, 4)) : nullptr};
    const FloatArray gradient = RandomFloats(outputs, 5);
    float* dy = bench.Put(gradient);
    float* y = bench.Space(outputs);
    float* dkernel = setting.kernel_gradient ? bench.Space(kernel_size) : nullptr;
    float* dbias = setting.biased ? bench.Space(shape.filters) : nullptr;
    SequenceGradient dinput;
    if (setting.table_gradient) dinput.dtable = bench.Space(table_size);
    void* inference = bench.Scratch(bench->Conv1dScratchBytes(shape, batch, true, false));
    void* training = bench.Scratch(bench->Conv1dScratchBytes(shape, batch, true, true));
    const auto run = [&] {
      bench->Conv1dForward(shape, batch, input, weights, y, inference);
      bench->Conv1dBackward(shape, batch, input, weights, y, dy, {dkernel, dbias}, dinput, training);
    };
    bench->Run(1, run);
    if (setting.replayed) {
      bench->Run(1, run);
      bench->Upload(on_device, tokens.data(), tokens.size() * sizeof(int32_t));
      bench->Upload(dy, gradient.data(), gradient.size() * sizeof(float));
      bench->Run(1, run);
    }
    Outputs results = {{"y", bench.Get(y, outputs)}};
    if (setting.biased) results.push_back({"dbias", bench.Get(dbias, shape.filters)});
    if (setting.kernel_gradient) results.push_back({"dkernel", bench.Get(dkernel, kernel_size)});
    if (setting.table_gradient) results.push_back({"dtable", bench.Get(dinput.dtable, table_size)});
    return results;
  });
}

Conv1dShape Valid(int64_t steps, int64_t channels, int64_t filters, int64_t taps, Activation activation) {
  return {steps, channels, filters, taps, 1, 1, 0, steps - taps + 1, activation};
}

TEST("a table is folded where rows are wide and it has half as many as there are windows, or fewer for many taps") {
  const int32_t tokens[1] = {};
  const float table[1] = {};
  const auto folds = [&](const Conv1dShape& shape, int64_t vocabulary) {
    return cuda::FoldsConv1d(shape, 3, {nullptr, tokens, table, vocabulary});
  };
  const Conv1dShape shape = Valid(23, 32, 8, 4, Activation::kRelu);  // 20 windows a sequence
  EXPECT(folds(shape, 30));
  EXPECT(!folds(shape, 31));
  EXPECT(!cuda::FoldsConv1d(shape, 3, {table, nullptr, nullptr, 0}));
  EXPECT(!folds(Valid(23, 31, 8, 4, Activation::kRelu), 30));
  EXPECT(folds(Valid(27, 32, 8, 8, Activation::kRelu), 15));
  EXPECT(!folds(Valid(27, 32, 8, 8, Activation::kRelu), 16));
  // Each tap sees nothing but padding somewhere.
  EXPECT(!folds({4, 32, 8, 2, 1, 6, 5, 4, Activation::kRelu}, 2));
}

TEST("a convolution and its gradients by token equal the CPU's at small and odd sizes") {
  ExpectFolded(Valid(2, 32, 1, 1, Activation::kLinear), 1, {.vocabulary = 1});
  ExpectFolded(Valid(37, 33, 5, 3, Activation::kTanh), 3, {.vocabulary = 29});
  ExpectFolded(Valid(41, 36, 20, 5, Activation::kRelu), 3, {.vocabulary = 29});
  ExpectFolded(Valid(41, 36, 12, 4, Activation::kSigmoid), 3, {.vocabulary = 29, .biased = false});
  ExpectFolded(Valid(19, 32, 72, 9, Activation::kRelu), 3, {.vocabulary = 7});
}

TEST("padding, stride and dilation are those of the definition") {
  const Conv1dShape shapes[] = {
      {40, 32, 8, 5, 1, 1, 2, 40, Activation::kRelu},  // same
      {40, 33, 5, 4, 1, 1, 3, 40, Activation::kRelu},  // causal
      {41, 32, 8, 3, 2, 1, 1, 21, Activation::kTanh},  // same with a stride
      {47, 32, 5, 3, 3, 2, 1, 15, Activation::kRelu},  // all of them
      {40, 34, 4, 4, 1, 3, 9, 40, Activation::kLinear}, {8, 32, 4, 5, 1, 2, 4, 8, Activation::kRelu},
      {41, 32, 4, 1, 4, 1, 0, 11, Activation::kRelu},  // rows that no window sees
  };
  for (const Conv1dShape& shape : shapes) ExpectFolded(shape, 3, {.vocabulary = 9});
}

TEST("it is all one which tokens there are") {
  const Conv1dShape shape = Valid(44, 32, 8, 5, Activation::kRelu);
  const int64_t positions = 3 * shape.steps, most = 3 * shape.out_steps * 2 / 5;
  const auto places = static_cast<size_t>(positions);
  IntArray all(places), ends(places);
  for (size_t i = 0; i < places; ++i) {
    all[i] = static_cast<int32_t>(i * 7 % static_cast<size_t>(most));
    ends[i] = i % 3 == 0 ? static_cast<int32_t>(most - 1) : 0;
  }
  ExpectFolded(shape, 3, {.vocabulary = most, .tokens = IntArray(places, 0)});
  ExpectFolded(shape, 3, {.vocabulary = most, .tokens = IntArray(places, 5)});
  ExpectFolded(shape, 3, {.vocabulary = most, .tokens = all});
  ExpectFolded(shape, 3, {.vocabulary = most, .tokens = ends});
}

TEST("a gradient that is not wanted is left out") {
  const Conv1dShape shape = Valid(40, 32, 8, 3, Activation::kRelu);
  ExpectFolded(shape, 3, {.vocabulary = 17, .kernel_gradient = false});
  ExpectFolded(shape, 3, {.vocabulary = 17, .table_gradient = false});
  ExpectFolded(shape, 3, {.vocabulary = 17, .kernel_gradient = false, .table_gradient = false});
}

TEST("a recorded pass is replayed with the tokens of its time") {
  ExpectFolded(Valid(40, 32, 8, 3, Activation::kTanh), 3, {.vocabulary = 41, .replayed = true});
}

TEST("padding that fills many stretches of the batch is summed over all of them") {
  const Conv1dShape shape = Valid(700, 32, 4, 3, Activation::kRelu);
  IntArray tokens = RandomInts(3 * shape.steps, 40, 1);
  std::fill_n(tokens.begin(), 1900, 0);
  ExpectFolded(shape, 3, {.vocabulary = 40, .tokens = tokens});
}

}  // namespace
}  // namespace slim::test
