#include "cpu/optimizer.h"

#include <algorithm>
#include <cmath>

#include "cpu/memory.h"
#include "cpu/parallel_range.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/optimizer.cc"
#include "cpu/dispatch.h"
#include "hwy/foreach_target.h"
// Compiled once a target, so after foreach_target.h:
#include "cpu/simd-inl.h"
#include "cpu/spans-inl.h"

#ifndef SLIM_OPTIMIZER_TABLE
#define SLIM_OPTIMIZER_TABLE
namespace slim {

// What a step's update needs beside the rule, the same for all elements.
struct UpdateFactors {
  float learning_rate;
  float gradient_scale;  // of global_clip_norm; 1 without
  float clip_value;      // infinity without
  float kept;            // 1 - learning rate * weight decay
  float adam_rate;       // learning rate with Adam's bias corrections
};

// A stretch of the contiguous buffers.
struct UpdateRange {
  float* parameters;
  const float* gradients;
  float* state;  // of the first state array; the others are state_stride floats apart
  size_t state_stride;
  size_t count;
};

struct OptimizerTable {
  void (*update)(const OptimizerRule& rule, const UpdateFactors& factors, const UpdateRange& range);
  double (*sum_of_squares)(const float* x, size_t count);
  void (*scale)(float factor, float divisor, float* x, size_t count);  // x = x * factor / divisor
};
}  // namespace slim
#endif

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {
namespace {

// The rules of Keras 3.15, keras/src/optimizers. A rule sees one vector at a time: `Step` gets the gradient and the
// vector's place and returns what is subtracted from the parameter.
template <class Span>
struct StatePlace {
  float* state;
  size_t state_stride;
  Span span;

  HWY_INLINE Floats Get(size_t array) const { return Load(state + array * state_stride, span); }
  HWY_INLINE void Set(size_t array, Floats v) const { Store(v, state + array * state_stride, span); }
};

struct PlainSgd {
  Floats rate;
  PlainSgd(const OptimizerRule&, const UpdateFactors& factors) : rate(hn::Set(kFloats, factors.learning_rate)) {}
  template <class Place>
  HWY_INLINE Floats Step(Floats gradient, const Place&) const {
    return hn::Mul(gradient, rate);
  }
};

// m = momentum m - rate g; w += m, or with Nesterov's form w += momentum m - rate g. State: m.
template <bool kNesterov>
struct MomentumSgd {
  Floats rate, momentum;
  MomentumSgd(const OptimizerRule& rule, const UpdateFactors& factors)
      : rate(hn::Set(kFloats, factors.learning_rate)), momentum(hn::Set(kFloats, rule.momentum)) {}
  template <class Place>
  HWY_INLINE Floats Step(Floats gradient, const Place& place) const {
    const Floats descent = hn::Mul(gradient, rate);
    const Floats m = hn::Sub(hn::Mul(place.Get(0), momentum), descent);
    place.Set(0, m);
    if constexpr (kNesterov) return hn::Sub(descent, hn::Mul(m, momentum));
    return hn::Neg(m);
  }
};

// v = rho v + (1 - rho) g^2; a = rho a + (1 - rho) g where centered; increment = rate g / sqrt(v - a^2 + epsilon);
// with momentum m = momentum m + increment; w -= m. State: v, m, a.
template <bool kMomentum, bool kCentered>
struct Rmsprop {
  Floats rate, momentum, rho, rest, epsilon;
  Rmsprop(const OptimizerRule& rule, const UpdateFactors& factors)
      : rate(hn::Set(kFloats, factors.learning_rate)),
        momentum(hn::Set(kFloats, rule.momentum)),
        rho(hn::Set(kFloats, rule.rho)),
        rest(hn::Set(kFloats, 1.0f - rule.rho)),
        epsilon(hn::Set(kFloats, rule.epsilon)) {}
  template <class Place>
  HWY_INLINE Floats Step(Floats gradient, const Place& place) const {
    const Floats v = hn::Add(hn::Mul(rho, place.Get(0)), hn::Mul(rest, hn::Mul(gradient, gradient)));
    place.Set(0, v);
    Floats denominator = hn::Add(v, epsilon);
    if constexpr (kCentered) {
      constexpr size_t kAverage = kMomentum ? 2 : 1;
      const Floats a = hn::Add(hn::Mul(rho, place.Get(kAverage)), hn::Mul(rest, gradient));
      place.Set(kAverage, a);
      denominator = hn::Add(hn::Sub(v, hn::Mul(a, a)), epsilon);
    }
    const Floats increment = hn::Div(hn::Mul(rate, gradient), hn::Sqrt(denominator));
    if constexpr (!kMomentum) return increment;
    const Floats m = hn::Add(hn::Mul(momentum, place.Get(1)), increment);
    place.Set(1, m);
    return m;
  }
};

// m += (1 - beta1) (g - m), v += (1 - beta2) (g^2 - v), w -= rate' m / (sqrt(v) + epsilon), with AMSGrad the largest v
// so far. State: m, v, largest v.
template <bool kAmsgrad>
struct Adam {
  Floats rate, rest1, rest2, epsilon;
  Adam(const OptimizerRule& rule, const UpdateFactors& factors)
      : rate(hn::Set(kFloats, factors.adam_rate)),
        rest1(hn::Set(kFloats, 1.0f - rule.beta1)),
        rest2(hn::Set(kFloats, 1.0f - rule.beta2)),
        epsilon(hn::Set(kFloats, rule.epsilon)) {}
  template <class Place>
  HWY_INLINE Floats Step(Floats gradient, const Place& place) const {
    Floats m = place.Get(0);
    m = hn::Add(m, hn::Mul(hn::Sub(gradient, m), rest1));
    place.Set(0, m);
    Floats v = place.Get(1);
    v = hn::Add(v, hn::Mul(hn::Sub(hn::Mul(gradient, gradient), v), rest2));
    place.Set(1, v);
    if constexpr (kAmsgrad) {
      v = hn::Max(place.Get(2), v);
      place.Set(2, v);
    }
    return hn::Div(hn::Mul(m, rate), hn::Add(hn::Sqrt(v), epsilon));
  }
};

template <class Rule>
void UpdateBy(const OptimizerRule& rule, const UpdateFactors& factors, const UpdateRange& range) {
  const Rule step(rule, factors);
  const Floats scale = hn::Set(kFloats, factors.gradient_scale);
  const Floats limit = hn::Set(kFloats, factors.clip_value);
  const Floats kept = hn::Set(kFloats, factors.kept);
  ForEachSpan(range.count, [&](size_t i, auto span) HWY_ATTR {
    const Floats given = hn::Mul(Load(range.gradients + i, span), scale);
    // Comparisons with NaN are false, so NaN is not clipped away.
    Floats gradient = hn::IfThenElse(hn::Gt(given, limit), limit, given);
    gradient = hn::IfThenElse(hn::Lt(given, hn::Neg(limit)), hn::Neg(limit), gradient);
    const Floats step_down = step.Step(gradient, StatePlace<decltype(span)>{range.state + i, range.state_stride, span});
    const Floats parameter = hn::Mul(Load(range.parameters + i, span), kept);
    Store(hn::Sub(parameter, step_down), range.parameters + i, span);
  });
}

void UpdateElements(const OptimizerRule& rule, const UpdateFactors& factors, const UpdateRange& range) {
  switch (rule.kind) {
    case OptimizerKind::kSgd:
      if (rule.momentum <= 0) return UpdateBy<PlainSgd>(rule, factors, range);
      return rule.nesterov ? UpdateBy<MomentumSgd<true>>(rule, factors, range)
                           : UpdateBy<MomentumSgd<false>>(rule, factors, range);
    case OptimizerKind::kRmsprop:
      if (rule.momentum > 0) {
        return rule.centered ? UpdateBy<Rmsprop<true, true>>(rule, factors, range)
                             : UpdateBy<Rmsprop<true, false>>(rule, factors, range);
      }
      return rule.centered ? UpdateBy<Rmsprop<false, true>>(rule, factors, range)
                           : UpdateBy<Rmsprop<false, false>>(rule, factors, range);
    case OptimizerKind::kAdam:
    case OptimizerKind::kAdamw:
      return rule.amsgrad ? UpdateBy<Adam<true>>(rule, factors, range) : UpdateBy<Adam<false>>(rule, factors, range);
  }
}

// Single precision within a stretch, double from stretch to stretch.
double SumOfSquares(const float* x, size_t count) {
  constexpr size_t kStretch = 1024;
  double total = 0;
  for (size_t begin = 0; begin < count; begin += kStretch) {
    Floats sums = hn::Zero(kFloats);
    ForEachSpan(HWY_MIN(kStretch, count - begin), [&](size_t i, auto span) HWY_ATTR {
      const Floats v = Load(x + begin + i, span);
      sums = hn::MulAdd(v, v, sums);
    });
    total += static_cast<double>(hn::GetLane(hn::SumOfLanes(kFloats, sums)));
  }
  return total;
}

void Scale(float factor, float divisor, float* x, size_t count) {
  const Floats f = hn::Set(kFloats, factor);
  const Floats d = hn::Set(kFloats, divisor);
  ForEachSpan(count,
              [&](size_t i, auto span) HWY_ATTR { Store(hn::Div(hn::Mul(Load(x + i, span), f), d), x + i, span); });
}

}  // namespace

extern const OptimizerTable kOptimizerTable;
const OptimizerTable kOptimizerTable = {UpdateElements, SumOfSquares, Scale};

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slim {

SLIM_CHOOSE_TABLE(OptimizerTable, kOptimizerTable)

namespace {

size_t Pieces(int64_t count) { return (static_cast<size_t>(count) + kElementsPerTask - 1) / kElementsPerTask; }

// Sums of squares of pieces of fixed length, then their sum in rising order.
double SumOfSquares(ThreadPool& pool, const float* x, int64_t count, double* pieces) {
  const OptimizerTable& table = ChosenOptimizerTable();
  ParallelRange(pool, static_cast<size_t>(count), kElementsPerTask, [&](size_t begin, size_t end) {
    pieces[begin / kElementsPerTask] = table.sum_of_squares(x + begin, end - begin);
  });
  double total = 0;
  for (size_t i = 0; i < Pieces(count); ++i) total += pieces[i];
  return total;
}

// g = g clip_norm / max(norm, clip_norm) of each array by itself; a norm that is NaN makes the array NaN.
void ClipSegments(ThreadPool& pool, float clip_norm, float* gradients, const Segment* segments, int64_t segment_count,
                  double* pieces) {
  const OptimizerTable& table = ChosenOptimizerTable();
  for (int64_t s = 0; s < segment_count; ++s) {
    float* segment = gradients + segments[s].offset;
    const float norm = static_cast<float>(std::sqrt(SumOfSquares(pool, segment, segments[s].size, pieces)));
    if (norm <= clip_norm) continue;
    ParallelRange(pool, static_cast<size_t>(segments[s].size), kElementsPerTask,
                  [&](size_t begin, size_t end) { table.scale(clip_norm, norm, segment + begin, end - begin); });
  }
}

// Keras: scale = clip min(1 / norm, 1 / clip), NaN where the norm is not finite.
float GlobalScale(float clip_norm, double sum_of_squares) {
  const float norm = static_cast<float>(std::sqrt(sum_of_squares));
  const float scale = norm <= clip_norm ? 1.0f : clip_norm / norm;
  return scale + (norm - norm);
}

// Keras computes the powers in single precision, and what rounding leaves of 1 - beta^t decides the size of early
// steps.
float AdamRate(const OptimizerRule& rule, float learning_rate, uint32_t step) {
  const double t = static_cast<double>(step) + 1.0;
  const float power1 = static_cast<float>(std::pow(static_cast<double>(rule.beta1), t));
  const float power2 = static_cast<float>(std::pow(static_cast<double>(rule.beta2), t));
  return learning_rate * std::sqrt(1.0f - power2) / (1.0f - power1);
}

}  // namespace

size_t OptimizerScratchBytes(const OptimizerRule& rule, int64_t count, int64_t) {
  const bool norms = rule.clip_norm > 0 || rule.global_clip_norm > 0;
  return norms ? Arena::BytesOf<double>(Pieces(count)) : 0;
}

void Update(ThreadPool& pool, const StepValues& values, const OptimizerRule& rule, int64_t count, float* parameters,
            float* gradients, float* state, const Segment* segments, int64_t segment_count, void* scratch) {
  const OptimizerTable& table = ChosenOptimizerTable();
  UpdateFactors factors;
  factors.learning_rate = values.learning_rate;
  factors.gradient_scale = 1.0f;
  factors.clip_value = INFINITY;
  factors.kept = rule.weight_decay > 0 ? 1.0f - rule.weight_decay * values.learning_rate : 1.0f;
  factors.adam_rate = AdamRate(rule, values.learning_rate, values.step);
  // As in Keras, of the three ways to clip the first that is set counts.
  if (rule.clip_norm > 0) {
    ClipSegments(pool, rule.clip_norm, gradients, segments, segment_count, static_cast<double*>(scratch));
  } else if (rule.global_clip_norm > 0) {
    const double squares = SumOfSquares(pool, gradients, count, static_cast<double*>(scratch));
    factors.gradient_scale = GlobalScale(rule.global_clip_norm, squares);
  } else if (rule.clip_value > 0) {
    factors.clip_value = rule.clip_value;
  }
  ParallelRange(pool, static_cast<size_t>(count), kElementsPerTask, [&](size_t begin, size_t end) {
    table.update(rule, factors,
                 {parameters + begin, gradients + begin, state == nullptr ? nullptr : state + begin,
                  static_cast<size_t>(count), end - begin});
  });
}

}  // namespace slim
#endif  // HWY_ONCE
