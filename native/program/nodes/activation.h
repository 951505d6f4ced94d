#pragma once

#include "program/nodes/node.h"

namespace slim {

/// An activation on its own; softmax is over the last axis.
class ActivationNode final : public Node {
 public:
  ActivationNode(const LayerContext& layer, Activation activation, const Signature& input, const NodeSetting& setting);

  Activation activation() const { return activation_; }

  Value PlanForward(Backend& backend, MemoryPlan& plan, int time, const Value& x) override;
  BufferId PlanBackward(Backend& backend, MemoryPlan& plan, int time, BufferId dy) override;
  void Bind(const Addresses& addresses) override;
  void Forward(Backend& backend, int64_t batch) override;
  void Backward(Backend& backend, int64_t batch) override;

 private:
  Activation activation_;
  int64_t width_;
  int64_t rows_per_sample_;

  BufferId x_id_ = kNoBuffer, y_id_ = kNoBuffer, gradient_id_ = kNoBuffer;
  const float* x_ = nullptr;
  float* y_ = nullptr;
  float* gradient_ = nullptr;
};

}  // namespace slim
