#include <algorithm>

#include "cuda/dropout.h"
#include "cuda/elementwise.h"
#include "philox.h"

namespace slim::cuda {
namespace {

struct DropRule {
  uint32_t threshold;
  float scale;

  __device__ float Factor(uint32_t word) const { return word < threshold ? 0.0f : scale; }
  // Not a product with 0, which would keep what is not a number.
  __device__ float Apply(uint32_t word, float x) const { return word < threshold ? 0.0f : x * scale; }
};

DropRule RuleOf(float rate) {
  return {DropThreshold(rate), static_cast<float>(1.0 / (1.0 - static_cast<double>(rate)))};
}

// The four elements whose words come from one block of the stream.
struct DropFour {
  DropRule rule;
  const StepValues* step;
  uint32_t stream;
  int64_t count;
  bool vectors;  // x and y can be accessed four floats at a time
  const float* x;
  float* y;

  __device__ void operator()(int64_t block) const {
    const RandomStream random{step->seed, step->step, stream};
    uint32_t words[4];
    random.Block(static_cast<uint64_t>(block), words);
    const int64_t first = block * 4;
    if (vectors && first + 4 <= count) {
      float4 v = *reinterpret_cast<const float4*>(x + first);
      v.x = rule.Apply(words[0], v.x), v.y = rule.Apply(words[1], v.y);
      v.z = rule.Apply(words[2], v.z), v.w = rule.Apply(words[3], v.w);
      *reinterpret_cast<float4*>(y + first) = v;
      return;
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (first + i < count) y[first + i] = rule.Apply(words[i], x[first + i]);
    }
  }
};

// One channel of one sample over some of its steps.
struct DropChannel {
  DropRule rule;
  const StepValues* step;
  uint32_t stream;
  int64_t steps;
  int64_t channels;
  int64_t steps_of_part;
  int64_t parts;
  const float* x;
  float* y;

  __device__ void operator()(int64_t i) const {
    const int64_t channel = i % channels;
    const int64_t sample = i / channels / parts;
    const int64_t begin = i / channels % parts * steps_of_part;
    const int64_t end = min(begin + steps_of_part, steps);
    const RandomStream random{step->seed, step->step, stream};
    const float factor = rule.Factor(random.Word(static_cast<uint64_t>(sample * channels + channel)));
    for (int64_t t = begin; t < end; ++t) {
      const int64_t at = (sample * steps + t) * channels + channel;
      y[at] = x[at] * factor;
    }
  }
};

bool AreAligned(const float* x, const float* y) {
  return (reinterpret_cast<uintptr_t>(x) | reinterpret_cast<uintptr_t>(y)) % sizeof(float4) == 0;
}

}  // namespace

void Dropout(const CudaContext& context, float rate, uint32_t stream, int64_t count, const float* x, float* y) {
  ForEachElement(context, (count + 3) / 4, DropFour{RuleOf(rate), context.step, stream, count, AreAligned(x, y), x, y});
}

void SpatialDropout(const CudaContext& context, float rate, uint32_t stream, int64_t batch, int64_t steps,
                    int64_t channels, const float* x, float* y) {
  constexpr int64_t kStepsOfPart = 16;
  const int64_t parts = (steps + kStepsOfPart - 1) / kStepsOfPart;
  ForEachElement(context, batch * parts * channels,
                 DropChannel{RuleOf(rate), context.step, stream, steps, channels, kStepsOfPart, parts, x, y});
}

}  // namespace slim::cuda
