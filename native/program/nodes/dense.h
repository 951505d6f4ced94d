#pragma once

#include "program/nodes/node.h"

namespace slim {

/// dense over the last axis. Its softmax is a node of its own.
class DenseNode final : public Node {
 public:
  DenseNode(const LayerContext& layer, const DenseSpec& spec, const Signature& input, const NodeSetting& setting,
            Activation activation);

  Value PlanForward(Backend& backend, MemoryPlan& plan, int time, const Value& x) override;
  BufferId PlanBackward(Backend& backend, MemoryPlan& plan, int time, BufferId dy) override;
  void Bind(const Addresses& addresses) override;
  void Forward(Backend& backend, int64_t batch) override;
  void Backward(Backend& backend, int64_t batch) override;

 private:
  DenseShape shape_;
  ParameterRef kernel_, bias_;

  BufferId x_id_ = kNoBuffer, y_id_ = kNoBuffer, dy_id_ = kNoBuffer, dx_id_ = kNoBuffer;
  BufferId scratch_id_ = kNoBuffer, backward_scratch_id_ = kNoBuffer;
  const float* x_ = nullptr;
  float* y_ = nullptr;
  float* dy_ = nullptr;
  float* dx_ = nullptr;
  const float* kernel_values_ = nullptr;
  const float* bias_values_ = nullptr;
  float* kernel_gradient_ = nullptr;
  float* bias_gradient_ = nullptr;
  void* scratch_ = nullptr;
  void* backward_scratch_ = nullptr;
};

}  // namespace slim
