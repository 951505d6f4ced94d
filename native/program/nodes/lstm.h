#pragma once

#include "program/nodes/node.h"
#include "program/nodes/recurrence.h"
#include "program/nodes/sequence_source.h"

namespace slim {

/// lstm: one walk over the sequence.
class LstmNode final : public Node {
 public:
  LstmNode(const LayerContext& layer, const LstmSpec& spec, const Signature& input, const NodeSetting& setting);

  void CheckDevice(Backend& backend) const override;
  Value PlanForward(Backend& backend, MemoryPlan& plan, int time, const Value& x) override;
  BufferId PlanBackward(Backend& backend, MemoryPlan& plan, int time, BufferId dy) override;
  void Bind(const Addresses& addresses) override;
  void Forward(Backend& backend, int64_t batch) override;
  void Backward(Backend& backend, int64_t batch) override;

 private:
  std::string name_;
  int64_t units_;
  Recurrence recurrence_;
  SequenceSource source_;

  BufferId y_id_ = kNoBuffer, dy_id_ = kNoBuffer;
  float* y_ = nullptr;
  const float* dy_ = nullptr;
};

}  // namespace slim
