#include "devices.h"
#include "optimizer_rules.h"
#include "test.h"

namespace slim::test {
namespace {

void ExpectSteps(const OptimizerRule& rule, const std::vector<Segment>& segments) {
  ExpectSameAsCpu([&](Bench& bench) {
    const int64_t count = segments.back().offset + segments.back().size;
    float* parameters = bench.Put(RandomFloats(count, 1));
    float* state = bench.Put(FloatArray(static_cast<size_t>(count * rule.StateArrays()), 0.0f));
    const auto* places = bench.Put(segments);
    const auto segment_count = static_cast<int64_t>(segments.size());
    void* scratch = bench.Scratch(bench->OptimizerScratchBytes(rule, count, segment_count));
    for (const uint32_t step : {0u, 1u, 2u}) {
      float* gradients = bench.Put(RandomFloats(count, 10 + step));
      bench->SetStep({.step = step, .learning_rate = 0.01f / static_cast<float>(1 + step)});
      bench->Update(rule, count, parameters, gradients, state, places, segment_count, scratch);
    }
    return Outputs{{"parameters", bench.Get(parameters, count)},
                   {"state", bench.Get(state, count * rule.StateArrays())}};
  });
}

const std::vector<Segment> kSegments = {{0, 1}, {1, 300}, {301, 2048}, {2349, 33}};

TEST("steps of all rules equal the CPU's") {
  for (const OptimizerRule& rule : AllRules()) ExpectSteps(rule, kSegments);
}

TEST("each way of clipping equals the CPU's") {
  for (const float limit : {0.5f, 1000.0f}) {
    for (float OptimizerRule::*clip :
         {&OptimizerRule::clip_norm, &OptimizerRule::global_clip_norm, &OptimizerRule::clip_value}) {
      OptimizerRule rule = Rule(OptimizerKind::kAdam);
      rule.*clip = limit;
      ExpectSteps(rule, kSegments);
    }
  }
}

}  // namespace
}  // namespace slim::test
