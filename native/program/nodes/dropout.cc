#include "program/nodes/dropout.h"

#include "philox.h"
#include "program/sizes.h"

namespace slim {

void CheckRate(const std::string& layer, const char* name, float rate) {
  if (rate >= 0.0f && rate < 1.0f) return;
  RejectLayer(layer, std::string("Expected a number in [0, 1) for ") + name + " but received " + std::to_string(rate));
}

DropoutNode::DropoutNode(const LayerContext& layer, float rate, const Signature& input, const NodeSetting& setting)
    : Node(input, setting),
      rate_(rate),
      stream_(layer.position * kStreamsPerLayer + static_cast<uint32_t>(StreamUse::kDropout)),
      spatial_steps_(0) {
  CheckRate(layer.spec.name, "rate", rate);
  output_ = input;
}

DropoutNode::DropoutNode(const LayerContext& layer, const DropoutSpec& spec, const Signature& input,
                         const NodeSetting& setting)
    : DropoutNode(layer, spec.rate, input, setting) {
  ExpectFloats(layer, "dropout", input);
}

DropoutNode::DropoutNode(const LayerContext& layer, const SpatialDropout1dSpec& spec, const Signature& input,
                         const NodeSetting& setting)
    : DropoutNode(layer, spec.rate, input, setting) {
  ExpectSequence(layer, "spatialDropout1d", input);
  spatial_steps_ = input.shape[0];
}

Value DropoutNode::PlanForward(Backend&, MemoryPlan& plan, int time, const Value& x) {
  x_id_ = x.data;
  plan.Extend(x_id_, time);
  y_id_ = x.overwritable ? x_id_ : plan.Add(BatchBytes(output_), time);
  Value y;
  y.data = y_id_;
  y.mask = x.mask;
  y.overwritable = true;
  return y;
}

BufferId DropoutNode::PlanBackward(Backend&, MemoryPlan& plan, int time, BufferId dy) {
  plan.Extend(dy, time);
  return gradient_id_ = dy;
}

void DropoutNode::Bind(const Addresses& addresses) {
  x_ = addresses.Of(x_id_);
  y_ = addresses.Of(y_id_);
  gradient_ = addresses.Of(gradient_id_);
}

void DropoutNode::Apply(Backend& backend, int64_t batch, const float* from, float* to) const {
  if (spatial_steps_ > 0) {
    backend.SpatialDropout(rate_, stream_, batch, spatial_steps_, output_.shape[1], from, to);
  } else {
    backend.Dropout(rate_, stream_, batch * output_.Elements(), from, to);
  }
}

void DropoutNode::Forward(Backend& backend, int64_t batch) { Apply(backend, batch, x_, y_); }

void DropoutNode::Backward(Backend& backend, int64_t batch) { Apply(backend, batch, gradient_, gradient_); }

}  // namespace slim
