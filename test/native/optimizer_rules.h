// Rules of optimizers for the tests of their steps.
#pragma once

#include <vector>

#include "backend.h"

namespace slim::test {

inline OptimizerRule Rule(OptimizerKind kind) {
  OptimizerRule rule;
  rule.kind = kind;
  return rule;
}

// Each kind with each of its parts there and not there.
inline std::vector<OptimizerRule> AllRules() {
  std::vector<OptimizerRule> rules = {Rule(OptimizerKind::kSgd)};
  for (const bool nesterov : {false, true}) {
    rules.push_back(Rule(OptimizerKind::kSgd));
    rules.back().momentum = 0.9f;
    rules.back().nesterov = nesterov;
  }
  for (const float momentum : {0.0f, 0.7f}) {
    for (const bool centered : {false, true}) {
      rules.push_back(Rule(OptimizerKind::kRmsprop));
      rules.back().momentum = momentum;
      rules.back().centered = centered;
    }
  }
  for (const bool amsgrad : {false, true}) {
    rules.push_back(Rule(OptimizerKind::kAdam));
    rules.back().amsgrad = amsgrad;
  }
  rules.push_back(Rule(OptimizerKind::kAdamw));
  rules.back().weight_decay = 0.004f;
  return rules;
}

}  // namespace slim::test
