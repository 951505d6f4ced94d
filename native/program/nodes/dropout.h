#pragma once

#include "program/nodes/node.h"

namespace slim {

/// dropout and spatialDropout1d while they are active; at other times their place is taken by an identity.
class DropoutNode final : public Node {
 public:
  DropoutNode(const LayerContext& layer, const DropoutSpec& spec, const Signature& input, const NodeSetting& setting);
  DropoutNode(const LayerContext& layer, const SpatialDropout1dSpec& spec, const Signature& input,
              const NodeSetting& setting);

  Value PlanForward(Backend& backend, MemoryPlan& plan, int time, const Value& x) override;
  BufferId PlanBackward(Backend& backend, MemoryPlan& plan, int time, BufferId dy) override;
  void Bind(const Addresses& addresses) override;
  void Forward(Backend& backend, int64_t batch) override;
  void Backward(Backend& backend, int64_t batch) override;

 private:
  DropoutNode(const LayerContext& layer, float rate, const Signature& input, const NodeSetting& setting);

  void Apply(Backend& backend, int64_t batch, const float* from, float* to) const;

  float rate_;
  uint32_t stream_;
  int64_t spatial_steps_;  // steps that share a mask; 0: each element has its own

  BufferId x_id_ = kNoBuffer, y_id_ = kNoBuffer, gradient_id_ = kNoBuffer;
  const float* x_ = nullptr;
  float* y_ = nullptr;
  float* gradient_ = nullptr;
};

/// Throws Error (kInvalidModel) unless the rate lies in [0, 1).
void CheckRate(const std::string& layer, const char* name, float rate);

}  // namespace slim
