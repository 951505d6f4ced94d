#include "program/nodes/conv1d.h"

#include <algorithm>

#include "program/sizes.h"

namespace slim {
namespace {

/// Rows before and after the padding of Keras: `same` gives ceil(T / stride) rows and puts the odd row of zeros after
/// the sequence, `causal` looks back only, `valid` has windows inside the sequence alone.
Conv1dShape ShapeOf(const std::string& name, const Conv1dSpec& spec, const Signature& input) {
  Conv1dShape shape{};
  shape.steps = input.shape[0];
  shape.channels = input.shape[1];
  shape.filters = CheckedSize(name, "filters", spec.filters);
  shape.taps = CheckedSize(name, "kernelSize", spec.taps);
  shape.stride = CheckedSize(name, "strides", spec.stride);
  shape.dilation = CheckedSize(name, "dilationRate", spec.dilation);
  const int64_t reach = shape.dilation * (shape.taps - 1);  // below 2^62
  switch (spec.padding) {
    case Conv1dSpec::Padding::kValid:
      if (reach >= shape.steps) {
        RejectLayer(name, "Expected a kernel that is no longer than the sequence of " + std::to_string(shape.steps) +
                              " steps but received kernelSize " + std::to_string(shape.taps) + " with dilationRate " +
                              std::to_string(shape.dilation));
      }
      shape.out_steps = (shape.steps - reach - 1) / shape.stride + 1;
      break;
    case Conv1dSpec::Padding::kSame:
      shape.out_steps = (shape.steps - 1) / shape.stride + 1;
      shape.pad_left = std::max<int64_t>((shape.out_steps - 1) * shape.stride + reach + 1 - shape.steps, 0) / 2;
      break;
    case Conv1dSpec::Padding::kCausal:
      shape.out_steps = (shape.steps - 1) / shape.stride + 1;
      shape.pad_left = reach;
      break;
  }
  CheckedElements(name, "padded steps", {shape.pad_left + shape.steps, shape.channels});
  return shape;
}

}  // namespace

Conv1dNode::Conv1dNode(const LayerContext& layer, const Conv1dSpec& spec, const Signature& input,
                       const NodeSetting& setting, Activation activation)
    : Node(input, setting) {
  const std::string& name = layer.spec.name;
  ExpectSequence(layer, "conv1d", input);
  ExpectNoMask(layer, "conv1d", input);
  shape_ = ShapeOf(name, spec, input);
  shape_.activation = activation;
  std::vector<ExpectedArray> arrays = {{"kernel", {shape_.taps, shape_.channels, shape_.filters}}};
  if (spec.use_bias) arrays.push_back({"bias", {shape_.filters}});
  const std::vector<ParameterRef> references = CheckArrays(layer, arrays);
  kernel_ = references[0];
  if (spec.use_bias) bias_ = references[1];
  output_ = {false, {shape_.out_steps, shape_.filters}, false};
  // What a device may lay out at the most: a row of every window, beside inputs and outputs.
  CheckedElements(name, "a batch of windows",
                  {setting.batch, std::max(shape_.steps, shape_.out_steps), shape_.taps, shape_.channels});
  CheckedElements(name, "a batch of outputs",
                  {setting.batch, std::max(shape_.steps, shape_.out_steps), shape_.filters});
}

Value Conv1dNode::PlanForward(Backend& backend, MemoryPlan& plan, int time, const Value& x) {
  source_.PlanForward(plan, time, x);
  y_id_ = plan.Add(BatchBytes(output_), time);
  scratch_id_ =
      plan.Add(backend.Conv1dScratchBytes(shape_, setting_.batch, source_.embedded(), setting_.backward), time);
  Value y;
  y.data = y_id_;
  y.overwritable = !setting_.backward || shape_.activation == Activation::kLinear;
  return y;
}

BufferId Conv1dNode::PlanBackward(Backend& backend, MemoryPlan& plan, int time, BufferId dy) {
  dy_id_ = dy;
  plan.Extend(dy, time);
  if (shape_.activation != Activation::kLinear) plan.Extend(y_id_, time);
  source_.Keep(plan, time);
  backward_scratch_id_ = plan.Add(backend.Conv1dScratchBytes(shape_, setting_.batch, source_.embedded(), true), time);
  return setting_.input_gradient ? source_.PlanGradient(plan, time, BatchBytes(input_)) : kNoBuffer;
}

void Conv1dNode::Bind(const Addresses& addresses) {
  source_.Bind(addresses);
  weights_ = {addresses.Values(kernel_), addresses.Values(bias_)};
  gradients_ = {addresses.Gradient(kernel_), addresses.Gradient(bias_)};
  y_ = addresses.Of(y_id_);
  dy_ = addresses.Of(dy_id_);
  scratch_ = addresses.Of<void>(scratch_id_);
  backward_scratch_ = addresses.Of<void>(backward_scratch_id_);
}

void Conv1dNode::Forward(Backend& backend, int64_t batch) {
  backend.Conv1dForward(shape_, batch, source_.input(), weights_, y_, scratch_);
}

void Conv1dNode::Backward(Backend& backend, int64_t batch) {
  backend.Conv1dBackward(shape_, batch, source_.input(), weights_, y_, dy_, gradients_, source_.gradient(),
                         backward_scratch_);
}

}  // namespace slim
