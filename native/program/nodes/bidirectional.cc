#include "program/nodes/bidirectional.h"

#include "philox.h"
#include "program/sizes.h"

namespace slim {
namespace {

void CheckPair(const std::string& layer, const BidirectionalSpec& spec) {
  const LstmSpec& forward = spec.forward;
  const LstmSpec& backward = spec.backward;
  if (forward.units != backward.units || forward.return_sequences != backward.return_sequences) {
    RejectLayer(layer, "Expected the same units and returnSequences for both directions but they differ");
  }
  if (forward.go_backwards == backward.go_backwards) {
    RejectLayer(layer, "Expected opposite directions for the two layers but both have the same goBackwards");
  }
  // Keras turns the second layer's rows round; with the first one walking backwards the rows of both would come out
  // from the last step to the first.
  if (forward.go_backwards && forward.return_sequences) {
    RejectLayer(layer,
                "Expected goBackwards false for a layer in bidirectional that returns sequences but received true");
  }
}

}  // namespace

BidirectionalNode::BidirectionalNode(const LayerContext& layer, const BidirectionalSpec& spec, const Signature& input,
                                     const NodeSetting& setting)
    : Node(input, setting), name_(layer.spec.name), merge_(spec.merge), units_(spec.forward.units) {
  ExpectSequence(layer, "bidirectional", input);
  CheckLstm(layer, spec.forward, input, setting);
  CheckLstm(layer, spec.backward, input, setting);
  CheckPair(layer.spec.name, spec);
  std::vector<ExpectedArray> expected = ArraysOf(spec.forward, input.shape[1], "forward/");
  const size_t forward_arrays = expected.size();
  for (ExpectedArray& array : ArraysOf(spec.backward, input.shape[1], "backward/"))
    expected.push_back(std::move(array));
  const std::vector<ParameterRef> arrays = CheckArrays(layer, expected);

  const uint32_t streams = layer.position * kStreamsPerLayer;
  WalkSetting walk;
  walk.reverse = spec.forward.go_backwards;
  walk.input_stream = streams + static_cast<uint32_t>(StreamUse::kInputDropout);
  walk.recurrent_stream = streams + static_cast<uint32_t>(StreamUse::kRecurrentDropout);
  forward_ = Recurrence(spec.forward, input, setting, walk, arrays.data());
  walk.reverse = spec.backward.go_backwards;
  walk.align_output = true;
  walk.input_stream = streams + static_cast<uint32_t>(StreamUse::kBackwardInputDropout);
  walk.recurrent_stream = streams + static_cast<uint32_t>(StreamUse::kBackwardRecurrentDropout);
  backward_ = Recurrence(spec.backward, input, setting, walk, arrays.data() + forward_arrays);

  const int64_t width = merge_ == Merge::kConcat ? 2 * units_ : units_;
  output_ = {false, {width}, false};
  if (spec.forward.return_sequences) output_ = {false, {input.shape[0], width}, input.masked};
}

void BidirectionalNode::CheckDevice(Backend& backend) const {
  forward_.CheckDevice(backend, name_);
  backward_.CheckDevice(backend, name_);
}

int64_t BidirectionalNode::WalkElements() const { return output_.Elements() / (merge_ == Merge::kConcat ? 2 : 1); }

Value BidirectionalNode::PlanForward(Backend& backend, MemoryPlan& plan, int time, const Value& x) {
  source_.PlanForward(plan, time, x);
  y_id_ = plan.Add(BatchBytes(output_), time);
  if (merge_ != Merge::kConcat) {
    const size_t bytes = static_cast<size_t>(setting_.batch * WalkElements()) * sizeof(float);
    a_id_ = plan.Add(bytes, time);
    b_id_ = plan.Add(bytes, time);
  }
  forward_.PlanForward(backend, plan, time, source_.embedded(), x.mask);
  backward_.PlanForward(backend, plan, time, source_.embedded(), x.mask);
  Value y;
  y.data = y_id_;
  if (output_.masked) y.mask = x.mask;
  y.overwritable = true;
  return y;
}

BufferId BidirectionalNode::PlanBackward(Backend& backend, MemoryPlan& plan, int time, BufferId dy) {
  dy_id_ = dy;
  plan.Extend(dy, time);
  source_.Keep(plan, time);
  if (merge_ == Merge::kMul) {
    plan.Extend(a_id_, time);
    plan.Extend(b_id_, time);
  }
  // The gradient of a sum is that of both terms.
  da_id_ = db_id_ = dy;
  if (merge_ == Merge::kMul || merge_ == Merge::kAve) {
    db_id_ = plan.Add(static_cast<size_t>(setting_.batch * WalkElements()) * sizeof(float), time);
  }
  forward_.PlanBackward(backend, plan, time);
  backward_.PlanBackward(backend, plan, time);
  return setting_.input_gradient ? source_.PlanGradient(plan, time, BatchBytes(input_)) : kNoBuffer;
}

void BidirectionalNode::Bind(const Addresses& addresses) {
  source_.Bind(addresses);
  forward_.Bind(addresses);
  backward_.Bind(addresses);
  a_ = addresses.Of(a_id_);
  b_ = addresses.Of(b_id_);
  da_ = addresses.Of(da_id_);
  db_ = addresses.Of(db_id_);
  y_ = addresses.Of(y_id_);
  dy_ = addresses.Of(dy_id_);
}

void BidirectionalNode::Forward(Backend& backend, int64_t batch) {
  if (merge_ == Merge::kConcat) {
    forward_.Forward(backend, batch, source_.input(), {y_, 2 * units_});
    backward_.Forward(backend, batch, source_.input(), {y_ + units_, 2 * units_});
    return;
  }
  forward_.Forward(backend, batch, source_.input(), {a_, units_});
  backward_.Forward(backend, batch, source_.input(), {b_, units_});
  backend.MergeForward(merge_, batch * WalkElements(), a_, b_, y_);
}

void BidirectionalNode::Backward(Backend& backend, int64_t batch) {
  SequenceGradient gradient = source_.gradient();
  StateGradient dforward{da_, units_}, dbackward{db_, units_};
  if (merge_ == Merge::kConcat) {
    dforward = {dy_, 2 * units_};
    dbackward = {dy_ + units_, 2 * units_};
  } else if (merge_ != Merge::kSum) {
    backend.MergeBackward(merge_, batch * WalkElements(), a_, b_, dy_, da_, db_);
  }
  forward_.Backward(backend, batch, source_.input(), dforward, gradient);
  gradient.accumulate = true;
  backward_.Backward(backend, batch, source_.input(), dbackward, gradient);
}

}  // namespace slim
