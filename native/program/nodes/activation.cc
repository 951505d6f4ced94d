#include "program/nodes/activation.h"

namespace slim {

ActivationNode::ActivationNode(const LayerContext& layer, Activation activation, const Signature& input,
                               const NodeSetting& setting)
    : Node(input, setting), activation_(activation) {
  ExpectFloats(layer, "activation", input);
  width_ = input.shape.back();
  rows_per_sample_ = input.Elements() / width_;
  output_ = input;
}

Value ActivationNode::PlanForward(Backend&, MemoryPlan& plan, int time, const Value& x) {
  x_id_ = x.data;
  plan.Extend(x_id_, time);
  y_id_ = x.overwritable ? x_id_ : plan.Add(BatchBytes(output_), time);
  Value y;
  y.data = y_id_;
  y.mask = x.mask;
  y.overwritable = !setting_.backward;
  return y;
}

BufferId ActivationNode::PlanBackward(Backend&, MemoryPlan& plan, int time, BufferId dy) {
  plan.Extend(dy, time);
  plan.Extend(y_id_, time);
  return gradient_id_ = dy;
}

void ActivationNode::Bind(const Addresses& addresses) {
  x_ = addresses.Of(x_id_);
  y_ = addresses.Of(y_id_);
  gradient_ = addresses.Of(gradient_id_);
}

void ActivationNode::Forward(Backend& backend, int64_t batch) {
  backend.ActivationForward(activation_, batch * rows_per_sample_, width_, x_, y_);
}

void ActivationNode::Backward(Backend& backend, int64_t batch) {
  backend.ActivationBackward(activation_, batch * rows_per_sample_, width_, y_, gradient_, gradient_);
}

}  // namespace slim
