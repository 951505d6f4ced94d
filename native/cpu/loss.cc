#include "cpu/loss.h"

#include <algorithm>
#include <cmath>

#include "cpu/parallel_range.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/loss.cc"
#include "cpu/dispatch.h"
#include "hwy/foreach_target.h"
// Compiled once a target, so after foreach_target.h:
#include "cpu/math-inl.h"
#include "cpu/simd-inl.h"
#include "cpu/spans-inl.h"

#ifndef SLIM_LOSS_TABLE
#define SLIM_LOSS_TABLE
namespace slim {
struct LossTable {
  float (*sum_of_exponentials)(const float* x, size_t count, float shift);            // sum of e^(x - shift)
  void (*softmax)(const float* x, size_t count, float shift, float scale, float* y);  // y = scale e^(x - shift)
};
}  // namespace slim
#endif

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {
namespace {

float SumOfExponentials(const float* x, size_t count, float shift) {
  const Floats s = hn::Set(kFloats, shift);
  Floats sums = hn::Zero(kFloats);
  ForEachSpan(count, [&](size_t i, auto span) HWY_ATTR {
    const Floats e = Exp(hn::Sub(Load(x + i, span), s));
    sums = hn::Add(sums, Within(e, span));
  });
  return hn::GetLane(hn::SumOfLanes(kFloats, sums));
}

void Softmax(const float* x, size_t count, float shift, float scale, float* y) {
  const Floats s = hn::Set(kFloats, shift);
  const Floats factor = hn::Set(kFloats, scale);
  ForEachSpan(count, [&](size_t i, auto span)
                         HWY_ATTR { Store(hn::Mul(Exp(hn::Sub(Load(x + i, span), s)), factor), y + i, span); });
}

}  // namespace

extern const LossTable kLossTable;
const LossTable kLossTable = {SumOfExponentials, Softmax};

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slim {

SLIM_CHOOSE_TABLE(LossTable, kLossTable)

namespace {

// Keras' epsilon: probabilities are clipped to [kEpsilon, 1 - kEpsilon].
constexpr float kEpsilon = 1e-7f;

// The samples are summed in this many pieces at the most, then the pieces in rising order.
constexpr size_t kPieces = 256;
constexpr size_t kLeastSamplesPerPiece = 16;

// One sample. `gradient` [outputs] or null; what is written to it is multiplied by `factor`. Returns the sample's loss
// without its class weight.
struct Sample {
  const float* outputs;
  size_t count;
  float* gradient;
  float factor;
};

// The targets of a sample, by the two ways they are given.
struct ClassTarget {
  size_t target;
  float At(size_t i) const { return i == target ? 1.0f : 0.0f; }
};
struct DenseTarget {
  const float* targets;
  float At(size_t i) const { return targets[i]; }
};

double WeightedByTarget(const ClassTarget& target, const float* values, size_t) { return values[target.target]; }
double WeightedByTarget(const DenseTarget& target, const float* values, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; ++i) sum += static_cast<double>(target.targets[i]) * values[i];
  return sum;
}

double TotalOfTarget(const ClassTarget&, size_t) { return 1.0; }
double TotalOfTarget(const DenseTarget& target, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; ++i) sum += target.targets[i];
  return sum;
}

// sum over classes of t (log sum e^x - x); gradient: softmax * sum t - t.
template <class Target>
double SoftmaxCrossentropy(const Sample& sample, const Target& target) {
  const LossTable& table = ChosenLossTable();
  const float largest = *std::max_element(sample.outputs, sample.outputs + sample.count);
  const float sum = table.sum_of_exponentials(sample.outputs, sample.count, largest);
  const double total = TotalOfTarget(target, sample.count);
  if (sample.gradient != nullptr) {
    const float scale = static_cast<float>(total) / sum;
    table.softmax(sample.outputs, sample.count, largest, scale, sample.gradient);
    for (size_t i = 0; i < sample.count; ++i) {
      sample.gradient[i] = (sample.gradient[i] - target.At(i)) * sample.factor;
    }
  }
  const double log_sum = std::log(static_cast<double>(sum)) + largest;
  return log_sum * total - WeightedByTarget(target, sample.outputs, sample.count);
}

float Clip(float p) { return std::min(std::max(p, kEpsilon), 1.0f - kEpsilon); }
bool IsClipped(float p) { return p < kEpsilon || p > 1.0f - kEpsilon; }

// -sum t log clip(y / sum y). With g = d loss / d (y / sum y): gradient = (g - sum(g y) / sum y) / sum y.
template <class Target>
double ProbabilityCrossentropy(const Sample& sample, const Target& target) {
  double sum = 0;
  for (size_t i = 0; i < sample.count; ++i) sum += sample.outputs[i];
  const float scale = static_cast<float>(1.0 / sum);
  double loss = 0;
  double weighted = 0;
  for (size_t i = 0; i < sample.count; ++i) {
    const float t = target.At(i);
    if (t == 0.0f) continue;
    const float p = sample.outputs[i] * scale;
    loss -= static_cast<double>(t) * std::log(static_cast<double>(Clip(p)));
    if (!IsClipped(p)) weighted -= t;
  }
  if (sample.gradient == nullptr) return loss;
  for (size_t i = 0; i < sample.count; ++i) {
    const float p = sample.outputs[i] * scale;
    const float own = IsClipped(p) ? 0.0f : -target.At(i) / p;
    sample.gradient[i] = (own - static_cast<float>(weighted)) * scale * sample.factor;
  }
  return loss;
}

// max(z, 0) - z t + log(1 + e^-|z|), the mean over outputs; gradient sigmoid(z) - t.
double SigmoidCrossentropy(const Sample& sample, const DenseTarget& target) {
  const double share = 1.0 / static_cast<double>(sample.count);
  double loss = 0;
  for (size_t i = 0; i < sample.count; ++i) {
    const double z = sample.outputs[i];
    const double t = target.At(i);
    const double e = std::exp(-std::abs(z));
    // The comparison keeps z where it is NaN, which std::max would lose.
    loss += (z < 0 ? 0 : z) - z * t + std::log1p(e);
    if (sample.gradient != nullptr) {
      const double sigmoid = z >= 0 ? 1 / (1 + e) : e / (1 + e);
      sample.gradient[i] = static_cast<float>((sigmoid - t) * share * sample.factor);
    }
  }
  return loss * share;
}

double BinaryProbabilityCrossentropy(const Sample& sample, const DenseTarget& target) {
  const double share = 1.0 / static_cast<double>(sample.count);
  double loss = 0;
  for (size_t i = 0; i < sample.count; ++i) {
    const double q = Clip(sample.outputs[i]);
    const double t = target.At(i);
    loss -= t * std::log(q) + (1 - t) * std::log(1 - q);
    if (sample.gradient != nullptr) {
      const double slope = IsClipped(sample.outputs[i]) ? 0.0 : (1 - t) / (1 - q) - t / q;
      sample.gradient[i] = static_cast<float>(slope * share * sample.factor);
    }
  }
  return loss * share;
}

double SquaredError(const Sample& sample, const DenseTarget& target) {
  const double share = 1.0 / static_cast<double>(sample.count);
  double loss = 0;
  for (size_t i = 0; i < sample.count; ++i) {
    const double difference = static_cast<double>(sample.outputs[i]) - target.At(i);
    loss += difference * difference;
    if (sample.gradient != nullptr) {
      sample.gradient[i] = static_cast<float>(2 * difference * share * sample.factor);
    }
  }
  return loss * share;
}

size_t Largest(const float* values, size_t count) {
  return static_cast<size_t>(std::max_element(values, values + count) - values);
}

const float* DenseTargets(const LossOperands& operands, size_t sample, size_t count) {
  return static_cast<const float*>(operands.targets) + sample * count;
}

size_t ClassOf(const LossShape& shape, const LossOperands& operands, size_t sample) {
  const size_t count = static_cast<size_t>(shape.outputs);
  if (shape.loss == Loss::kSparseCategoricalCrossentropy) {
    return static_cast<size_t>(static_cast<const int32_t*>(operands.targets)[sample]);
  }
  const float* targets = DenseTargets(operands, sample, count);
  return count == 1 ? targets[0] > 0.5f : Largest(targets, count);
}

double SampleLoss(const LossShape& shape, const LossOperands& operands, size_t number, const Sample& sample) {
  const bool logits = shape.form == OutputForm::kLogits;
  if (shape.loss == Loss::kSparseCategoricalCrossentropy) {
    const ClassTarget target{ClassOf(shape, operands, number)};
    return logits ? SoftmaxCrossentropy(sample, target) : ProbabilityCrossentropy(sample, target);
  }
  const DenseTarget target{DenseTargets(operands, number, sample.count)};
  switch (shape.loss) {
    case Loss::kCategoricalCrossentropy:
      return logits ? SoftmaxCrossentropy(sample, target) : ProbabilityCrossentropy(sample, target);
    case Loss::kBinaryCrossentropy:
      return logits ? SigmoidCrossentropy(sample, target) : BinaryProbabilityCrossentropy(sample, target);
    default:
      return SquaredError(sample, target);
  }
}

double Correct(const LossShape& shape, const LossOperands& operands, size_t number, const Sample& sample) {
  const bool binary =
      shape.loss == Loss::kBinaryCrossentropy || (shape.loss == Loss::kMeanSquaredError && shape.outputs == 1);
  if (!binary) return Largest(sample.outputs, sample.count) == ClassOf(shape, operands, number) ? 1.0 : 0.0;
  const float threshold = shape.form == OutputForm::kLogits ? 0.0f : 0.5f;
  const float* targets = DenseTargets(operands, number, sample.count);
  size_t equal = 0;
  for (size_t i = 0; i < sample.count; ++i) equal += (sample.outputs[i] > threshold ? 1.0f : 0.0f) == targets[i];
  return static_cast<double>(equal) / static_cast<double>(sample.count);
}

// Fewer than k outputs are larger than that of the class; as in TensorFlow's in_top_k.
bool InTopK(const LossShape& shape, const LossOperands& operands, size_t number, const Sample& sample) {
  const float own = sample.outputs[ClassOf(shape, operands, number)];
  if (!std::isfinite(own)) return false;
  int64_t larger = 0;
  for (size_t i = 0; i < sample.count; ++i) larger += !(sample.outputs[i] <= own);
  return larger < shape.top_k;
}

}  // namespace

void ComputeLoss(ThreadPool& pool, const LossShape& shape, int64_t batch, const LossOperands& operands) {
  const size_t samples = static_cast<size_t>(batch);
  const size_t outputs = static_cast<size_t>(shape.outputs);
  const size_t piece = std::max(kLeastSamplesPerPiece, (samples + kPieces - 1) / kPieces);
  MetricSums sums[kPieces] = {};
  ParallelRange(pool, samples, piece, [&](size_t begin, size_t end) {
    MetricSums& sum = sums[begin / piece];
    for (size_t i = begin; i < end; ++i) {
      const float weight =
          operands.class_weights == nullptr ? 1.0f : operands.class_weights[ClassOf(shape, operands, i)];
      float* gradient = operands.doutputs == nullptr ? nullptr : operands.doutputs + i * outputs;
      const Sample sample{operands.outputs + i * outputs, outputs, gradient, weight / static_cast<float>(batch)};
      sum.loss += weight * SampleLoss(shape, operands, i, sample);
      sum.correct += Correct(shape, operands, i, sample);
      sum.in_top_k += shape.top_k > 0 && InTopK(shape, operands, i, sample);
    }
  });
  MetricSums& total = *operands.sums;
  for (const MetricSums& sum : sums) {
    total.loss += sum.loss;
    total.correct += sum.correct;
    total.in_top_k += sum.in_top_k;
  }
  total.samples += static_cast<double>(batch);
}

}  // namespace slim
#endif  // HWY_ONCE
