#pragma once

#include "program/nodes/node.h"
#include "program/nodes/sequence_source.h"

namespace slim {

/// conv1d. Its softmax is a node of its own.
class Conv1dNode final : public Node {
 public:
  Conv1dNode(const LayerContext& layer, const Conv1dSpec& spec, const Signature& input, const NodeSetting& setting,
             Activation activation);

  Value PlanForward(Backend& backend, MemoryPlan& plan, int time, const Value& x) override;
  BufferId PlanBackward(Backend& backend, MemoryPlan& plan, int time, BufferId dy) override;
  void Bind(const Addresses& addresses) override;
  void Forward(Backend& backend, int64_t batch) override;
  void Backward(Backend& backend, int64_t batch) override;

 private:
  Conv1dShape shape_;
  ParameterRef kernel_, bias_;
  SequenceSource source_;

  BufferId y_id_ = kNoBuffer, dy_id_ = kNoBuffer, scratch_id_ = kNoBuffer, backward_scratch_id_ = kNoBuffer;
  Conv1dWeights weights_{};
  Conv1dGradients gradients_{};
  float* y_ = nullptr;
  float* dy_ = nullptr;
  void* scratch_ = nullptr;
  void* backward_scratch_ = nullptr;
};

}  // namespace slim
