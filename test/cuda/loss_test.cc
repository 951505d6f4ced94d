#include "devices.h"
#include "test.h"

namespace slim::test {
namespace {

struct Problem {
  Loss loss;
  OutputForm form;
  int64_t outputs;
  int64_t batch;
  bool weighted = false;
  int64_t top_k = 0;
};

FloatArray OutputsOf(const Problem& p) {
  FloatArray values = RandomFloats(p.batch * p.outputs, 1, 3.0f);
  if (p.form == OutputForm::kProbabilities) {
    for (float& value : values) value = (value + 3.0f) / 6.0f;
    // Some that are clipped.
    values.front() = 0.0f;
    values.back() = 1.0f;
  }
  return values;
}

FloatArray DenseTargetsOf(const Problem& p) {
  FloatArray targets = RandomFloats(p.batch * p.outputs, 2);
  if (p.loss == Loss::kMeanSquaredError) return targets;
  for (float& target : targets) target = target > 0 ? 1.0f : 0.0f;
  return targets;
}

void ExpectLoss(const Problem& p) {
  ExpectSameAsCpu([&](Bench& bench) {
    const LossShape shape{p.loss, p.form, p.outputs, p.top_k};
    LossOperands operands{};
    operands.outputs = bench.Put(OutputsOf(p));
    operands.targets =
        p.loss == Loss::kSparseCategoricalCrossentropy
            ? static_cast<const void*>(bench.Put(RandomInts(p.batch, static_cast<int32_t>(p.outputs), 2)))
            : bench.Put(DenseTargetsOf(p));
    if (p.weighted) {
      FloatArray weights = RandomFloats(shape.Classes(), 3);
      for (float& weight : weights) weight += 2.0f;
      operands.class_weights = bench.Put(weights);
    }
    float* doutputs = bench.Space(p.batch * p.outputs);
    operands.sums = reinterpret_cast<MetricSums*>(bench.Put(std::vector<double>(4, 0.0)));
    operands.doutputs = doutputs;
    bench->ComputeLoss(shape, p.batch, operands);
    // A second batch is added, and leaves out the gradient.
    operands.doutputs = nullptr;
    bench->ComputeLoss(shape, p.batch, operands);
    const std::vector<double> sums = bench.Get(reinterpret_cast<const double*>(operands.sums), 4);
    return Outputs{{"doutputs", bench.Get(doutputs, p.batch * p.outputs)},
                   {"loss", {static_cast<float>(sums[0])}},
                   {"counts", FloatArray(sums.begin() + 1, sums.end())}};
  });
}

TEST("losses of classes, their gradients and metrics equal the CPU's") {
  for (const Loss loss : {Loss::kSparseCategoricalCrossentropy, Loss::kCategoricalCrossentropy}) {
    for (const OutputForm form : {OutputForm::kLogits, OutputForm::kProbabilities}) {
      for (const int64_t outputs : {2, 33}) {
        ExpectLoss({loss, form, outputs, 13, false, 3});
        ExpectLoss({loss, form, outputs, 20, true, 1});
      }
    }
  }
}

TEST("losses of single outputs, their gradients and metrics equal the CPU's") {
  for (const int64_t outputs : {1, 40}) {
    for (const bool weighted : {false, true}) {
      ExpectLoss({Loss::kBinaryCrossentropy, OutputForm::kLogits, outputs, 21, weighted});
      ExpectLoss({Loss::kBinaryCrossentropy, OutputForm::kProbabilities, outputs, 21, weighted});
      ExpectLoss({Loss::kMeanSquaredError, OutputForm::kValues, outputs, 21, weighted});
    }
  }
}

TEST("one sample, and more samples than one round of warps takes") {
  ExpectLoss({Loss::kSparseCategoricalCrossentropy, OutputForm::kLogits, 20, 1});
  ExpectLoss({Loss::kSparseCategoricalCrossentropy, OutputForm::kLogits, 3, 700, true, 2});
}

}  // namespace
}  // namespace slim::test
