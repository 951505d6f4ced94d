#include "program/nodes/lstm.h"

#include "philox.h"

namespace slim {

LstmNode::LstmNode(const LayerContext& layer, const LstmSpec& spec, const Signature& input, const NodeSetting& setting)
    : Node(input, setting), name_(layer.spec.name), units_(spec.units) {
  ExpectSequence(layer, "lstm", input);
  CheckLstm(layer, spec, input, setting);
  const std::vector<ParameterRef> arrays = CheckArrays(layer, ArraysOf(spec, input.shape[1], ""));
  const uint32_t streams = layer.position * kStreamsPerLayer;
  WalkSetting walk;
  walk.reverse = spec.go_backwards;
  walk.input_stream = streams + static_cast<uint32_t>(StreamUse::kInputDropout);
  walk.recurrent_stream = streams + static_cast<uint32_t>(StreamUse::kRecurrentDropout);
  recurrence_ = Recurrence(spec, input, setting, walk, arrays.data());
  output_ = {false, {units_}, false};
  if (spec.return_sequences) output_ = {false, {input.shape[0], units_}, input.masked};
}

void LstmNode::CheckDevice(Backend& backend) const { recurrence_.CheckDevice(backend, name_); }

Value LstmNode::PlanForward(Backend& backend, MemoryPlan& plan, int time, const Value& x) {
  source_.PlanForward(plan, time, x);
  y_id_ = plan.Add(BatchBytes(output_), time);
  recurrence_.PlanForward(backend, plan, time, source_.embedded(), x.mask);
  Value y;
  y.data = y_id_;
  if (output_.masked) y.mask = x.mask;
  y.overwritable = true;
  return y;
}

BufferId LstmNode::PlanBackward(Backend& backend, MemoryPlan& plan, int time, BufferId dy) {
  dy_id_ = dy;
  plan.Extend(dy, time);
  source_.Keep(plan, time);
  recurrence_.PlanBackward(backend, plan, time);
  return setting_.input_gradient ? source_.PlanGradient(plan, time, BatchBytes(input_)) : kNoBuffer;
}

void LstmNode::Bind(const Addresses& addresses) {
  source_.Bind(addresses);
  recurrence_.Bind(addresses);
  y_ = addresses.Of(y_id_);
  dy_ = addresses.Of(dy_id_);
}

void LstmNode::Forward(Backend& backend, int64_t batch) {
  recurrence_.Forward(backend, batch, source_.input(), {y_, units_});
}

void LstmNode::Backward(Backend& backend, int64_t batch) {
  recurrence_.Backward(backend, batch, source_.input(), {dy_, units_}, source_.gradient());
}

}  // namespace slim
