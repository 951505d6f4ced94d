#pragma once

#include "program/nodes/node.h"

namespace slim {

/// What changes no number: flatten, the linear activation, dropout outside training. Its output is its input's memory.
class IdentityNode final : public Node {
 public:
  /// `output` has as many elements as `input`.
  IdentityNode(const Signature& input, const Signature& output, const NodeSetting& setting) : Node(input, setting) {
    output_ = output;
  }

  Value PlanForward(Backend&, MemoryPlan&, int, const Value& x) override { return x; }
  BufferId PlanBackward(Backend&, MemoryPlan&, int, BufferId dy) override { return dy; }
  void Bind(const Addresses&) override {}
  void Forward(Backend&, int64_t) override {}
  void Backward(Backend&, int64_t) override {}
};

/// The signature of flatten's output; throws Error (kInvalidModel) where the input cannot be flattened.
Signature FlattenedSignature(const LayerContext& layer, const Signature& input);

}  // namespace slim
