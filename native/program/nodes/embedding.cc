#include "program/nodes/embedding.h"

#include "program/sizes.h"

namespace slim {

EmbeddingNode::EmbeddingNode(const LayerContext& layer, const EmbeddingSpec& spec, const Signature& input,
                             const NodeSetting& setting, bool handed_over)
    : Node(input, setting), handed_over_(handed_over) {
  const std::string& name = layer.spec.name;
  if (!input.tokens)
    RejectLayer(name, "Expected token ids for embedding but received float32 " + ShapeText(input.shape));
  shape_ = {input.shape[0], CheckedSize(name, "inputDim", spec.vocabulary), CheckedSize(name, "outputDim", spec.width)};
  table_ = CheckArrays(layer, {{"embeddings", {shape_.vocabulary, shape_.width}}})[0];
  output_ = {false, {shape_.steps, shape_.width}, spec.mask_zero};
  CheckedElements(name, "a batch of rows", {setting.batch, shape_.steps, shape_.width});
}

Value EmbeddingNode::PlanForward(Backend&, MemoryPlan& plan, int time, const Value& x) {
  tokens_id_ = x.data;
  plan.Extend(tokens_id_, time);
  Value y;
  if (output_.masked) y.mask = mask_id_ = plan.Add(static_cast<size_t>(setting_.batch * shape_.steps), time);
  if (handed_over_) {
    y.embedded = {tokens_id_, table_, shape_.vocabulary};
  } else {
    y.data = y_id_ = plan.Add(BatchBytes(output_), time);
    y.overwritable = true;
  }
  return y;
}

BufferId EmbeddingNode::PlanBackward(Backend& backend, MemoryPlan& plan, int time, BufferId dy) {
  if (handed_over_) return kNoBuffer;
  dy_id_ = dy;
  plan.Extend(dy, time);
  plan.Extend(tokens_id_, time);
  scratch_id_ = plan.Add(backend.EmbeddingScratchBytes(shape_, setting_.batch), time);
  return kNoBuffer;
}

void EmbeddingNode::Bind(const Addresses& addresses) {
  tokens_ = addresses.Of<int32_t>(tokens_id_);
  table_values_ = addresses.Values(table_);
  table_gradient_ = addresses.Gradient(table_);
  y_ = addresses.Of(y_id_);
  mask_ = addresses.Of<uint8_t>(mask_id_);
  dy_ = addresses.Of(dy_id_);
  scratch_ = addresses.Of<void>(scratch_id_);
}

void EmbeddingNode::Forward(Backend& backend, int64_t batch) {
  if (mask_ != nullptr) backend.TokenMask(tokens_, batch * shape_.steps, mask_);
  if (!handed_over_) backend.EmbeddingForward(shape_, batch, tokens_, table_values_, y_);
}

void EmbeddingNode::Backward(Backend& backend, int64_t batch) {
  if (!handed_over_) backend.EmbeddingBackward(shape_, batch, tokens_, dy_, table_gradient_, scratch_);
}

}  // namespace slim
