#pragma once

#include <cstdint>

#include "backend.h"
#include "cuda/warp_sums.h"

/// The loss, gradient and metrics of one sample, by all lanes of a warp together: lanes take outputs in turn, and every
/// lane gets every sum. Loops are not unrolled: few outputs are more than a warp's lanes, and there are many loops.
namespace slim::cuda {

// Keras' epsilon: probabilities are clipped to [kEpsilon, 1 - kEpsilon].
inline constexpr float kEpsilon = 1e-7f;

/// `gradient` [count] or null; what is written to it is multiplied by `factor`.
struct LossSample {
  const float* outputs;
  int64_t count;
  float* gradient;
  float factor;
  int lane;
};

/// The targets of a sample, by the two ways they are given.
struct ClassTarget {
  int64_t target;
  __device__ float At(int64_t i) const { return i == target ? 1.0f : 0.0f; }
};
struct DenseTarget {
  const float* targets;
  __device__ float At(int64_t i) const { return targets[i]; }
};

template <class Function>
__device__ inline double SumOverOutputs(const LossSample& sample, const Function& function) {
  double sum = 0;
#pragma unroll 1
  for (int64_t i = sample.lane; i < sample.count; i += 32) sum += function(i);
  return WarpSum(sum);
}

/// The first of the largest values.
__device__ inline int64_t IndexOfLargest(const float* values, int64_t count, int lane) {
  float best = values[0];
  int64_t at = 0;
#pragma unroll 1
  for (int64_t i = lane; i < count; i += 32) {
    if (values[i] > best) best = values[i], at = i;
  }
  for (int lanes = 16; lanes > 0; lanes /= 2) {
    const float other = __shfl_xor_sync(0xFFFFFFFFu, best, lanes);
    const int64_t other_at = static_cast<int64_t>(__shfl_xor_sync(0xFFFFFFFFu, static_cast<long long>(at), lanes));
    if (other > best || (other == best && other_at < at)) best = other, at = other_at;
  }
  return at;
}

/// sum over classes of t (log sum e^x - x); gradient: softmax * sum t - t.
template <class Target>
__device__ inline double SoftmaxCrossentropy(const LossSample& sample, const Target& target) {
  float largest = sample.outputs[0];
#pragma unroll 1
  for (int64_t i = sample.lane; i < sample.count; i += 32) largest = fmaxf(largest, sample.outputs[i]);
  largest = WarpMaximum(largest);
  const double sum = SumOverOutputs(sample, [&](int64_t i) -> double { return expf(sample.outputs[i] - largest); });
  const double total = SumOverOutputs(sample, [&](int64_t i) -> double { return target.At(i); });
  const double weighted = SumOverOutputs(sample, [&](int64_t i) -> double {
    const float t = target.At(i);
    return t == 0.0f ? 0.0 : static_cast<double>(t) * sample.outputs[i];
  });
  if (sample.gradient != nullptr) {
    const float scale = static_cast<float>(total / sum);
#pragma unroll 1
    for (int64_t i = sample.lane; i < sample.count; i += 32) {
      sample.gradient[i] = (expf(sample.outputs[i] - largest) * scale - target.At(i)) * sample.factor;
    }
  }
  return (log(sum) + largest) * total - weighted;
}

__device__ inline float ClipProbability(float p) {
  return p < kEpsilon ? kEpsilon : p > 1.0f - kEpsilon ? 1.0f - kEpsilon : p;
}
__device__ inline bool IsClipped(float p) { return p < kEpsilon || p > 1.0f - kEpsilon; }

/// -sum t log clip(y / sum y). With g = d loss / d (y / sum y): gradient = (g - sum(g y) / sum y) / sum y.
template <class Target>
__device__ inline double ProbabilityCrossentropy(const LossSample& sample, const Target& target) {
  const double sum = SumOverOutputs(sample, [&](int64_t i) -> double { return sample.outputs[i]; });
  const float scale = static_cast<float>(1.0 / sum);
  const double loss = SumOverOutputs(sample, [&](int64_t i) -> double {
    const float t = target.At(i);
    return t == 0.0f ? 0.0
                     : -static_cast<double>(t) * log(static_cast<double>(ClipProbability(sample.outputs[i] * scale)));
  });
  const double weighted = SumOverOutputs(sample, [&](int64_t i) -> double {
    return IsClipped(sample.outputs[i] * scale) ? 0.0 : -static_cast<double>(target.At(i));
  });
  if (sample.gradient == nullptr) return loss;
#pragma unroll 1
  for (int64_t i = sample.lane; i < sample.count; i += 32) {
    const float p = sample.outputs[i] * scale;
    const float own = IsClipped(p) ? 0.0f : -target.At(i) / p;
    sample.gradient[i] = (own - static_cast<float>(weighted)) * scale * sample.factor;
  }
  return loss;
}

/// max(z, 0) - z t + log(1 + e^-|z|), the mean over outputs; gradient sigmoid(z) - t.
__device__ inline double SigmoidCrossentropy(const LossSample& sample, const DenseTarget& target) {
  const double share = 1.0 / static_cast<double>(sample.count);
  const double loss = SumOverOutputs(sample, [&](int64_t i) -> double {
    const double z = sample.outputs[i];
    const double t = target.At(i);
    const double e = exp(-fabs(z));
    if (sample.gradient != nullptr) {
      const double sigmoid = z >= 0 ? 1 / (1 + e) : e / (1 + e);
      sample.gradient[i] = static_cast<float>((sigmoid - t) * share * sample.factor);
    }
    // The comparison keeps z where it is NaN, which a maximum would lose.
    return (z < 0 ? 0 : z) - z * t + log1p(e);
  });
  return loss * share;
}

__device__ inline double BinaryProbabilityCrossentropy(const LossSample& sample, const DenseTarget& target) {
  const double share = 1.0 / static_cast<double>(sample.count);
  const double loss = SumOverOutputs(sample, [&](int64_t i) -> double {
    const double q = ClipProbability(sample.outputs[i]);
    const double t = target.At(i);
    if (sample.gradient != nullptr) {
      const double slope = IsClipped(sample.outputs[i]) ? 0.0 : (1 - t) / (1 - q) - t / q;
      sample.gradient[i] = static_cast<float>(slope * share * sample.factor);
    }
    return -(t * log(q) + (1 - t) * log(1 - q));
  });
  return loss * share;
}

__device__ inline double SquaredError(const LossSample& sample, const DenseTarget& target) {
  const double share = 1.0 / static_cast<double>(sample.count);
  const double loss = SumOverOutputs(sample, [&](int64_t i) -> double {
    const double difference = static_cast<double>(sample.outputs[i]) - target.At(i);
    if (sample.gradient != nullptr) {
      sample.gradient[i] = static_cast<float>(2 * difference * share * sample.factor);
    }
    return difference * difference;
  });
  return loss * share;
}

}  // namespace slim::cuda
