#pragma once

#include "program/nodes/node.h"
#include "program/nodes/recurrence.h"
#include "program/nodes/sequence_source.h"

namespace slim {

/// bidirectional: two walks over the sequence in opposite directions, merged. `concat` costs nothing: both walks write
/// into one array. The other modes merge two.
class BidirectionalNode final : public Node {
 public:
  BidirectionalNode(const LayerContext& layer, const BidirectionalSpec& spec, const Signature& input,
                    const NodeSetting& setting);

  void CheckDevice(Backend& backend) const override;
  Value PlanForward(Backend& backend, MemoryPlan& plan, int time, const Value& x) override;
  BufferId PlanBackward(Backend& backend, MemoryPlan& plan, int time, BufferId dy) override;
  void Bind(const Addresses& addresses) override;
  void Forward(Backend& backend, int64_t batch) override;
  void Backward(Backend& backend, int64_t batch) override;

 private:
  /// Elements of one walk's output for each sample.
  int64_t WalkElements() const;

  std::string name_;
  Merge merge_;
  int64_t units_;
  Recurrence forward_, backward_;
  SequenceSource source_;

  // The outputs of the two walks, where they are merged, and the gradients of these.
  BufferId a_id_ = kNoBuffer, b_id_ = kNoBuffer, da_id_ = kNoBuffer, db_id_ = kNoBuffer;
  BufferId y_id_ = kNoBuffer, dy_id_ = kNoBuffer;
  float* a_ = nullptr;
  float* b_ = nullptr;
  float* da_ = nullptr;
  float* db_ = nullptr;
  float* y_ = nullptr;
  float* dy_ = nullptr;
};

}  // namespace slim
