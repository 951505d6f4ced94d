#include "program/nodes/dense.h"

#include "program/sizes.h"

namespace slim {

DenseNode::DenseNode(const LayerContext& layer, const DenseSpec& spec, const Signature& input,
                     const NodeSetting& setting, Activation activation)
    : Node(input, setting) {
  const std::string& name = layer.spec.name;
  ExpectFloats(layer, "dense", input);
  shape_.inputs = input.shape.back();
  shape_.rows_per_sample = input.Elements() / shape_.inputs;
  shape_.units = CheckedSize(name, "units", spec.units);
  shape_.activation = activation;
  std::vector<ExpectedArray> arrays = {{"kernel", {shape_.inputs, shape_.units}}};
  if (spec.use_bias) arrays.push_back({"bias", {shape_.units}});
  const std::vector<ParameterRef> references = CheckArrays(layer, arrays);
  kernel_ = references[0];
  if (spec.use_bias) bias_ = references[1];
  output_ = input;
  output_.shape.back() = shape_.units;
  CheckedElements(name, "a batch of inputs", {setting.batch, shape_.rows_per_sample, shape_.inputs});
  CheckedElements(name, "a batch of outputs", {setting.batch, shape_.rows_per_sample, shape_.units});
}

Value DenseNode::PlanForward(Backend& backend, MemoryPlan& plan, int time, const Value& x) {
  x_id_ = x.data;
  plan.Extend(x_id_, time);
  y_id_ = plan.Add(BatchBytes(output_), time);
  scratch_id_ = plan.Add(backend.DenseScratchBytes(shape_, setting_.batch, setting_.backward), time);
  Value y;
  y.data = y_id_;
  y.mask = x.mask;
  y.overwritable = !setting_.backward || shape_.activation == Activation::kLinear;
  return y;
}

BufferId DenseNode::PlanBackward(Backend& backend, MemoryPlan& plan, int time, BufferId dy) {
  dy_id_ = dy;
  plan.Extend(dy, time);
  if (shape_.activation != Activation::kLinear) plan.Extend(y_id_, time);
  if (kernel_.trainable) plan.Extend(x_id_, time);
  backward_scratch_id_ = plan.Add(backend.DenseScratchBytes(shape_, setting_.batch, true), time);
  return dx_id_ = setting_.input_gradient ? plan.Add(BatchBytes(input_), time) : kNoBuffer;
}

void DenseNode::Bind(const Addresses& addresses) {
  x_ = addresses.Of(x_id_);
  y_ = addresses.Of(y_id_);
  dy_ = addresses.Of(dy_id_);
  dx_ = addresses.Of(dx_id_);
  kernel_values_ = addresses.Values(kernel_);
  bias_values_ = addresses.Values(bias_);
  kernel_gradient_ = addresses.Gradient(kernel_);
  bias_gradient_ = addresses.Gradient(bias_);
  scratch_ = addresses.Of<void>(scratch_id_);
  backward_scratch_ = addresses.Of<void>(backward_scratch_id_);
}

void DenseNode::Forward(Backend& backend, int64_t batch) {
  backend.DenseForward(shape_, batch, x_, kernel_values_, bias_values_, y_, scratch_);
}

void DenseNode::Backward(Backend& backend, int64_t batch) {
  backend.DenseBackward(shape_, batch, x_, kernel_values_, y_, dy_, kernel_gradient_, bias_gradient_, dx_,
                        backward_scratch_);
}

}  // namespace slim
