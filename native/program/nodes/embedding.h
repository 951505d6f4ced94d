#pragma once

#include "program/nodes/node.h"

namespace slim {

/// embedding: rows of a table by token id. Where the next layer can read tokens and table itself, nothing is written.
class EmbeddingNode final : public Node {
 public:
  /// `handed_over`: the next node takes a Value with `embedded` and gives the table's gradient.
  EmbeddingNode(const LayerContext& layer, const EmbeddingSpec& spec, const Signature& input,
                const NodeSetting& setting, bool handed_over);

  Value PlanForward(Backend& backend, MemoryPlan& plan, int time, const Value& x) override;
  BufferId PlanBackward(Backend& backend, MemoryPlan& plan, int time, BufferId dy) override;
  void Bind(const Addresses& addresses) override;
  void Forward(Backend& backend, int64_t batch) override;
  void Backward(Backend& backend, int64_t batch) override;

 private:
  EmbeddingShape shape_;
  ParameterRef table_;
  bool handed_over_;

  BufferId tokens_id_ = kNoBuffer, y_id_ = kNoBuffer, mask_id_ = kNoBuffer, dy_id_ = kNoBuffer, scratch_id_ = kNoBuffer;
  const int32_t* tokens_ = nullptr;
  const float* table_values_ = nullptr;
  float* table_gradient_ = nullptr;
  float* y_ = nullptr;
  uint8_t* mask_ = nullptr;
  const float* dy_ = nullptr;
  void* scratch_ = nullptr;
};

}  // namespace slim
