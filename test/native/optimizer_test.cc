#include "cpu/optimizer.h"

#include <algorithm>

#include "arrays.h"
#include "optimizer_rules.h"
#include "test.h"
#include "thread_pool.h"

// The oracle writes Keras' rules (keras/src/optimizers of Keras 3) for one element in double precision.

namespace slim::test {
namespace {

struct Element {
  double parameter;
  std::vector<double> state;
};

void PlainUpdate(const OptimizerRule& r, double rate, uint32_t step, double g, Element& e) {
  std::vector<double>& s = e.state;
  if (r.weight_decay > 0) e.parameter -= e.parameter * double{r.weight_decay} * rate;
  switch (r.kind) {
    case OptimizerKind::kSgd:
      if (r.momentum == 0) {
        e.parameter -= rate * g;
      } else {
        s[0] = s[0] * r.momentum - rate * g;
        e.parameter += r.nesterov ? s[0] * r.momentum - rate * g : s[0];
      }
      break;
    case OptimizerKind::kRmsprop: {
      s[0] = r.rho * s[0] + (1 - double{r.rho}) * g * g;
      double denominator = s[0] + r.epsilon;
      if (r.centered) {
        double& average = s[r.momentum > 0 ? 2 : 1];
        average = r.rho * average + (1 - double{r.rho}) * g;
        denominator = s[0] - average * average + r.epsilon;
      }
      const double increment = rate * g / std::sqrt(denominator);
      if (r.momentum > 0) s[1] = r.momentum * s[1] + increment;
      e.parameter -= r.momentum > 0 ? s[1] : increment;
      break;
    }
    case OptimizerKind::kAdam:
    case OptimizerKind::kAdamw: {
      const double t = step + 1;
      const double alpha = rate * std::sqrt(1 - std::pow(double{r.beta2}, t)) / (1 - std::pow(double{r.beta1}, t));
      s[0] += (g - s[0]) * (1 - double{r.beta1});
      s[1] += (g * g - s[1]) * (1 - double{r.beta2});
      if (r.amsgrad) s[2] = std::max(s[2], s[1]);
      e.parameter -= alpha * s[0] / (std::sqrt(s[r.amsgrad ? 2 : 1]) + r.epsilon);
      break;
    }
  }
}

// Scales the gradients as the rule's clipping asks for, in double.
std::vector<double> Clipped(const OptimizerRule& rule, const FloatArray& gradients,
                            const std::vector<Segment>& segments) {
  std::vector<double> g(gradients.begin(), gradients.end());
  const auto norm = [&](int64_t offset, int64_t size) {
    double sum = 0;
    for (int64_t i = offset; i < offset + size; ++i) sum += g[static_cast<size_t>(i)] * g[static_cast<size_t>(i)];
    return std::sqrt(sum);
  };
  if (rule.clip_norm > 0) {
    for (const Segment& s : segments) {
      const double factor = rule.clip_norm / std::max<double>(norm(s.offset, s.size), rule.clip_norm);
      for (int64_t i = s.offset; i < s.offset + s.size; ++i) g[static_cast<size_t>(i)] *= factor;
    }
  } else if (rule.global_clip_norm > 0) {
    const double all = norm(0, static_cast<int64_t>(g.size()));
    for (double& value : g) value *= rule.global_clip_norm * std::min(1 / all, 1.0 / rule.global_clip_norm);
  } else if (rule.clip_value > 0) {
    for (double& value : g) value = std::clamp<double>(value, -rule.clip_value, rule.clip_value);
  }
  return g;
}

FloatArray RunSteps(const OptimizerRule& rule, int64_t count, const std::vector<Segment>& segments, int threads,
                    std::vector<double>* plain) {
  ThreadPool pool(threads);
  FloatArray parameters = RandomFloats(count, 1);
  FloatArray state(static_cast<size_t>(count * rule.StateArrays()), 0.0f);
  const int64_t segment_count = static_cast<int64_t>(segments.size());
  Scratch scratch(OptimizerScratchBytes(rule, count, segment_count));
  std::vector<Element> elements;
  for (const float p : parameters)
    elements.push_back({p, std::vector<double>(static_cast<size_t>(rule.StateArrays()))});
  for (uint32_t step = 0; step < 5; ++step) {
    FloatArray gradients = RandomFloats(count, 10 + step, step == 2 ? 0.01f : 1.0f);
    StepValues values;
    values.step = step;
    values.learning_rate = 0.01f / static_cast<float>(step + 1);
    const std::vector<double> g = Clipped(rule, gradients, segments);
    for (size_t i = 0; i < elements.size(); ++i) PlainUpdate(rule, values.learning_rate, step, g[i], elements[i]);
    Update(pool, values, rule, count, parameters.data(), gradients.data(), state.data(), segments.data(), segment_count,
           scratch.get());
  }
  plain->clear();
  for (const Element& element : elements) plain->push_back(element.parameter);
  return parameters;
}

TEST("updates follow Keras' rules") {
  for (const OptimizerRule& rule : AllRules()) {
    for (const int64_t count : {1, 33, 40000}) {
      std::vector<double> plain;
      const FloatArray one = RunSteps(rule, count, {{0, count}}, 1, &plain);
      EXPECT_NEAR(RelativeError(one, plain), 0, 3e-7);
      EXPECT(RunSteps(rule, count, {{0, count}}, 3, &plain) == one);
    }
  }
}

TEST("gradients are clipped by each array's norm, by the norm of all, or by value") {
  const std::vector<Segment> segments = {{0, 7}, {16, 40000}, {40016, 1}};
  for (int way = 0; way < 3; ++way) {
    OptimizerRule rule = Rule(OptimizerKind::kSgd);
    (way == 0 ? rule.clip_norm : way == 1 ? rule.global_clip_norm : rule.clip_value) = 0.5f;
    std::vector<double> plain;
    const FloatArray one = RunSteps(rule, 40032, segments, 1, &plain);
    EXPECT_NEAR(RelativeError(one, plain), 0, 3e-7);
    EXPECT(RunSteps(rule, 40032, segments, 3, &plain) == one);
  }
}

TEST("a gradient that is NaN is not clipped away") {
  for (int way = 0; way < 4; ++way) {
    OptimizerRule rule = Rule(OptimizerKind::kSgd);
    if (way > 0) (way == 1 ? rule.clip_norm : way == 2 ? rule.global_clip_norm : rule.clip_value) = 0.5f;
    ThreadPool pool(1);
    const Segment segment{0, 2};
    Scratch scratch(OptimizerScratchBytes(rule, 2, 1));
    FloatArray parameters = {1, 1}, gradients = {NAN, 1};
    StepValues values;
    values.learning_rate = 0.1f;
    Update(pool, values, rule, 2, parameters.data(), gradients.data(), nullptr, &segment, 1, scratch.get());
    EXPECT(std::isnan(parameters[0]));
  }
}

}  // namespace
}  // namespace slim::test
