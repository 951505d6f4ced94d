#pragma once

#include "program/nodes/node.h"

namespace slim {

/// maxPooling1d and globalMaxPooling1d, which is one window over all steps.
class MaxPoolNode final : public Node {
 public:
  MaxPoolNode(const LayerContext& layer, const MaxPooling1dSpec& spec, const Signature& input,
              const NodeSetting& setting);
  MaxPoolNode(const LayerContext& layer, const GlobalMaxPooling1dSpec& spec, const Signature& input,
              const NodeSetting& setting);

  Value PlanForward(Backend& backend, MemoryPlan& plan, int time, const Value& x) override;
  BufferId PlanBackward(Backend& backend, MemoryPlan& plan, int time, BufferId dy) override;
  void Bind(const Addresses& addresses) override;
  void Forward(Backend& backend, int64_t batch) override;
  void Backward(Backend& backend, int64_t batch) override;

 private:
  MaxPoolShape shape_;

  BufferId x_id_ = kNoBuffer, y_id_ = kNoBuffer, winners_id_ = kNoBuffer, dy_id_ = kNoBuffer, dx_id_ = kNoBuffer;
  const float* x_ = nullptr;
  float* y_ = nullptr;
  int32_t* winners_ = nullptr;
  const float* dy_ = nullptr;
  float* dx_ = nullptr;
};

}  // namespace slim
