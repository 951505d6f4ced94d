#include "program/nodes/pooling.h"

#include <algorithm>

#include "program/sizes.h"

namespace slim {

MaxPoolNode::MaxPoolNode(const LayerContext& layer, const MaxPooling1dSpec& spec, const Signature& input,
                         const NodeSetting& setting)
    : Node(input, setting) {
  const std::string& name = layer.spec.name;
  ExpectSequence(layer, "maxPooling1d", input);
  ExpectNoMask(layer, "maxPooling1d", input);
  shape_ = {};
  shape_.steps = input.shape[0];
  shape_.channels = input.shape[1];
  shape_.pool = CheckedSize(name, "poolSize", spec.pool);
  shape_.stride = CheckedSize(name, "strides", spec.stride);
  if (spec.padding == MaxPooling1dSpec::Padding::kValid) {
    if (shape_.pool > shape_.steps) {
      RejectLayer(name, "Expected a window that is no longer than the sequence of " + std::to_string(shape_.steps) +
                            " steps but received poolSize " + std::to_string(shape_.pool));
    }
    shape_.out_steps = (shape_.steps - shape_.pool) / shape_.stride + 1;
  } else {
    shape_.out_steps = (shape_.steps - 1) / shape_.stride + 1;
    shape_.pad_left = std::max<int64_t>((shape_.out_steps - 1) * shape_.stride + shape_.pool - shape_.steps, 0) / 2;
  }
  output_ = {false, {shape_.out_steps, shape_.channels}, false};
  CheckBatch(layer, "a batch of inputs", setting.batch, input.Elements());
}

MaxPoolNode::MaxPoolNode(const LayerContext& layer, const GlobalMaxPooling1dSpec& spec, const Signature& input,
                         const NodeSetting& setting)
    : Node(input, setting) {
  ExpectSequence(layer, "globalMaxPooling1d", input);
  ExpectNoMask(layer, "globalMaxPooling1d", input);
  shape_ = {input.shape[0], input.shape[1], input.shape[0], input.shape[0], 0, 1};
  output_ = {false, {shape_.channels}, false};
  if (spec.keep_dims) output_.shape = {1, shape_.channels};
  CheckBatch(layer, "a batch of inputs", setting.batch, input.Elements());
}

Value MaxPoolNode::PlanForward(Backend&, MemoryPlan& plan, int time, const Value& x) {
  x_id_ = x.data;
  plan.Extend(x_id_, time);
  y_id_ = plan.Add(BatchBytes(output_), time);
  if (setting_.backward) {
    winners_id_ = plan.Add(static_cast<size_t>(setting_.batch * output_.Elements()) * sizeof(int32_t), time);
  }
  Value y;
  y.data = y_id_;
  y.overwritable = true;
  return y;
}

BufferId MaxPoolNode::PlanBackward(Backend&, MemoryPlan& plan, int time, BufferId dy) {
  dy_id_ = dy;
  plan.Extend(dy, time);
  plan.Extend(winners_id_, time);
  return dx_id_ = plan.Add(BatchBytes(input_), time);
}

void MaxPoolNode::Bind(const Addresses& addresses) {
  x_ = addresses.Of(x_id_);
  y_ = addresses.Of(y_id_);
  winners_ = addresses.Of<int32_t>(winners_id_);
  dy_ = addresses.Of(dy_id_);
  dx_ = addresses.Of(dx_id_);
}

void MaxPoolNode::Forward(Backend& backend, int64_t batch) { backend.MaxPoolForward(shape_, batch, x_, y_, winners_); }

void MaxPoolNode::Backward(Backend& backend, int64_t batch) {
  backend.MaxPoolBackward(shape_, batch, winners_, dy_, dx_);
}

}  // namespace slim
