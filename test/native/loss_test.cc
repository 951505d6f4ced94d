#include "cpu/loss.h"

#include <algorithm>
#include <string>

#include "arrays.h"
#include "test.h"
#include "thread_pool.h"

// The oracle is each loss's formula in double precision, and for gradients its central difference.

namespace slim::test {
namespace {

constexpr double kEpsilon = 1e-7;

struct LossCase {
  LossShape shape;
  int64_t batch;
  FloatArray outputs;
  IntArray classes;          // the sparse loss
  FloatArray targets;        // the others
  FloatArray class_weights;  // or empty

  bool Sparse() const { return shape.loss == Loss::kSparseCategoricalCrossentropy; }

  size_t ClassOf(size_t sample) const {
    if (Sparse()) return static_cast<size_t>(classes[sample]);
    const size_t count = static_cast<size_t>(shape.outputs);
    const auto begin = targets.begin() + static_cast<int64_t>(sample * count);
    if (count == 1) return *begin > 0.5f;
    return static_cast<size_t>(std::max_element(begin, begin + shape.outputs) - begin);
  }

  double Weight(size_t sample) const { return class_weights.empty() ? 1.0 : class_weights[ClassOf(sample)]; }

  double Target(size_t sample, size_t i) const {
    if (Sparse()) return i == static_cast<size_t>(classes[sample]);
    return targets[sample * static_cast<size_t>(shape.outputs) + i];
  }

  double SampleLoss(const std::vector<double>& values, size_t sample) const {
    const size_t count = static_cast<size_t>(shape.outputs);
    const double* y = values.data() + sample * count;
    double sum = 0, loss = 0;
    for (size_t i = 0; i < count; ++i) sum += shape.form == OutputForm::kLogits ? std::exp(y[i]) : y[i];
    for (size_t i = 0; i < count; ++i) {
      const double t = Target(sample, i);
      const auto clip = [](double p) { return std::clamp(p, kEpsilon, 1 - kEpsilon); };
      switch (shape.loss) {
        case Loss::kSparseCategoricalCrossentropy:
        case Loss::kCategoricalCrossentropy:
          loss -= t * (shape.form == OutputForm::kLogits ? y[i] - std::log(sum) : std::log(clip(y[i] / sum)));
          break;
        case Loss::kBinaryCrossentropy: {
          const double p = shape.form == OutputForm::kLogits ? 1 / (1 + std::exp(-y[i])) : clip(y[i]);
          loss -= (t * std::log(p) + (1 - t) * std::log(1 - p)) / static_cast<double>(count);
          break;
        }
        case Loss::kMeanSquaredError:
          loss += (y[i] - t) * (y[i] - t) / static_cast<double>(count);
          break;
      }
    }
    return loss;
  }

  double Total(const std::vector<double>& values) const {
    double total = 0;
    for (size_t b = 0; b < static_cast<size_t>(batch); ++b) total += Weight(b) * SampleLoss(values, b);
    return total;
  }
};

LossCase MakeCase(Loss loss, OutputForm form, int64_t outputs, int64_t batch, bool weighted) {
  LossCase c{{loss, form, outputs, 0}, batch, {}, {}, {}, {}};
  c.outputs = RandomFloats(batch * outputs, 1, form == OutputForm::kLogits ? 4.0f : 1.0f);
  if (form == OutputForm::kProbabilities) {
    for (float& y : c.outputs) y = 0.02f + 0.96f * std::abs(y);
  }
  c.classes = RandomInts(batch, static_cast<int32_t>(outputs), 2);
  c.targets = RandomFloats(batch * outputs, 3);
  for (float& t : c.targets) t = loss == Loss::kBinaryCrossentropy ? t > 0 : std::abs(t);
  if (weighted) {
    c.class_weights = RandomFloats(std::max<int64_t>(outputs, 2), 4);
    for (float& w : c.class_weights) w = 0.5f + std::abs(w);
  }
  return c;
}

MetricSums Compute(const LossCase& c, float* doutputs, int threads) {
  ThreadPool pool(threads);
  MetricSums sums{};
  LossOperands operands;
  operands.outputs = c.outputs.data();
  operands.targets = c.Sparse() ? static_cast<const void*>(c.classes.data()) : c.targets.data();
  operands.class_weights = c.class_weights.empty() ? nullptr : c.class_weights.data();
  operands.doutputs = doutputs;
  operands.sums = &sums;
  ComputeLoss(pool, c.shape, c.batch, operands);
  return sums;
}

TEST("losses and gradients follow the formulas") {
  struct Kind {
    Loss loss;
    OutputForm form;
    int64_t outputs;
  };
  const Kind kinds[] = {
      {Loss::kSparseCategoricalCrossentropy, OutputForm::kLogits, 20},
      {Loss::kSparseCategoricalCrossentropy, OutputForm::kProbabilities, 7},
      {Loss::kCategoricalCrossentropy, OutputForm::kLogits, 17},
      {Loss::kCategoricalCrossentropy, OutputForm::kProbabilities, 5},
      {Loss::kBinaryCrossentropy, OutputForm::kLogits, 1},
      {Loss::kBinaryCrossentropy, OutputForm::kLogits, 3},
      {Loss::kBinaryCrossentropy, OutputForm::kProbabilities, 1},
      {Loss::kBinaryCrossentropy, OutputForm::kProbabilities, 4},
      {Loss::kMeanSquaredError, OutputForm::kValues, 1},
      {Loss::kMeanSquaredError, OutputForm::kValues, 33},
  };
  for (const Kind& kind : kinds) {
    for (const bool weighted : {false, true}) {
      const LossCase c = MakeCase(kind.loss, kind.form, kind.outputs, 37, weighted);
      std::vector<double> values(c.outputs.begin(), c.outputs.end());
      FloatArray gradient = Unwritten(static_cast<int64_t>(values.size()));
      const MetricSums sums = Compute(c, gradient.data(), 2);
      const double total = c.Total(values);
      EXPECT_NEAR(sums.loss / total, 1, 1e-6);
      EXPECT_EQ(sums.samples, 37.0);

      std::vector<double> differences;
      for (double& value : values) {
        const double kept = value, h = 1e-5;
        value = kept + h;
        const double above = c.Total(values);
        value = kept - h;
        differences.push_back((above - c.Total(values)) / (2 * h) / static_cast<double>(c.batch));
        value = kept;
      }
      EXPECT_NEAR(RelativeError(gradient, differences), 0, 1e-6);
    }
  }
}

TEST("a loss is the same bits on any number of threads, with or without gradients") {
  const LossCase c = MakeCase(Loss::kSparseCategoricalCrossentropy, OutputForm::kLogits, 50, 3000, false);
  FloatArray first = Unwritten(int64_t{3000} * 50), second = Unwritten(int64_t{3000} * 50);
  const MetricSums one = Compute(c, first.data(), 1);
  const MetricSums three = Compute(c, second.data(), 3);
  const MetricSums bare = Compute(c, nullptr, 2);
  EXPECT(first == second);
  EXPECT_EQ(one.loss, three.loss);
  EXPECT_EQ(one.loss, bare.loss);
  EXPECT_EQ(one.correct, bare.correct);
}

TEST("logits as large as floats go give finite losses") {
  LossCase c = MakeCase(Loss::kSparseCategoricalCrossentropy, OutputForm::kLogits, 3, 1, false);
  c.outputs = {3e38f, -3e38f, 0.0f};
  c.classes = {0};
  FloatArray gradient(3);
  EXPECT_EQ(Compute(c, gradient.data(), 1).loss, 0.0);
  EXPECT_EQ(gradient[0], 0.0f);
  LossCase binary = MakeCase(Loss::kBinaryCrossentropy, OutputForm::kLogits, 1, 2, false);
  binary.outputs = {1000.0f, -1000.0f};
  binary.targets = {1.0f, 0.0f};
  EXPECT_EQ(Compute(binary, gradient.data(), 1).loss, 0.0);
}

TEST("NaN among the outputs makes the loss NaN") {
  for (const Loss loss : {Loss::kSparseCategoricalCrossentropy, Loss::kBinaryCrossentropy, Loss::kMeanSquaredError}) {
    const OutputForm form = loss == Loss::kMeanSquaredError ? OutputForm::kValues : OutputForm::kLogits;
    LossCase c = MakeCase(loss, form, 3, 2, false);
    c.outputs[1] = NAN;
    EXPECT(std::isnan(Compute(c, nullptr, 1).loss));
  }
}

TEST("accuracy counts the samples whose largest output is their class") {
  LossCase c = MakeCase(Loss::kSparseCategoricalCrossentropy, OutputForm::kLogits, 3, 4, false);
  c.shape.top_k = 2;
  c.outputs = {1, 2, 3, /**/ 5, 4, 3, /**/ 1, 9, 8, /**/ 0, 0, 1};
  c.classes = {2, 1, 0, 1};
  const MetricSums sums = Compute(c, nullptr, 1);
  EXPECT_EQ(sums.correct, 1.0);
  EXPECT_EQ(sums.in_top_k, 3.0);

  LossCase dense = c;
  dense.shape.loss = Loss::kCategoricalCrossentropy;
  dense.targets = {0, 0, 1, /**/ 0, 1, 0, /**/ 1, 0, 0, /**/ 0, 1, 0};
  EXPECT_EQ(Compute(dense, nullptr, 1).correct, 1.0);
}

TEST("binary accuracy is the mean over outputs of those on the target's side of one half") {
  LossCase c = MakeCase(Loss::kBinaryCrossentropy, OutputForm::kProbabilities, 2, 2, false);
  c.outputs = {0.9f, 0.5f, 0.2f, 0.51f};
  c.targets = {1, 0, 1, 1};
  EXPECT_EQ(Compute(c, nullptr, 1).correct, 1.5);
  c.shape.form = OutputForm::kLogits;
  c.outputs = {0.9f, 0.0f, -0.2f, 0.01f};
  EXPECT_EQ(Compute(c, nullptr, 1).correct, 1.5);
}

TEST("sums are added to those of the batches before") {
  const LossCase c = MakeCase(Loss::kMeanSquaredError, OutputForm::kValues, 2, 5, false);
  ThreadPool pool(1);
  MetricSums sums{10, 20, 3, 4};
  LossOperands operands{c.outputs.data(), c.targets.data(), nullptr, nullptr, &sums};
  ComputeLoss(pool, c.shape, c.batch, operands);
  EXPECT_EQ(sums.loss, 10 + Compute(c, nullptr, 1).loss);
  EXPECT_EQ(sums.samples, 25.0);
}

}  // namespace
}  // namespace slim::test
