#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "backend.h"
#include "program/memory_plan.h"
#include "program/nodes/chain.h"
#include "program/program.h"

namespace slim {

struct ExecutionSetting {
  ChainSetting chain;
  int64_t top_k = 0;
};

/// A program planned for one kind of step (with or without dropout, loss and backward pass) and a largest batch. All
/// its memory but weights and gradients is one arena, which someone else owns.
class Execution {
 public:
  /// Throws Error (kInvalidModel) where the batch makes arrays too large to count.
  Execution(Backend& backend, const Program& program, const ExecutionSetting& setting);

  const ExecutionSetting& setting() const { return setting_; }
  size_t ArenaBytes() const { return plan_.ArenaBytes(); }

  void Bind(void* arena, float* parameters, float* gradients);

  /// Where the batch goes before a pass: token ids or float32 rows; and the targets, where there is a loss.
  void* input() const { return input_; }
  void* targets() const { return targets_; }
  /// What the pass leaves. Before the activation at the end where the loss takes logits.
  const float* output() const { return output_; }
  /// The gradient of the input, where the setting asks for it.
  const float* input_gradient() const { return input_gradient_; }

  void Forward(int64_t batch);
  void ComputeLoss(int64_t batch, const float* class_weights, MetricSums* sums);
  void Backward(int64_t batch);

 private:
  void PlanPasses(const Program& program);

  Backend& backend_;
  const ExecutionSetting setting_;
  Chain chain_;
  LossShape loss_{};
  MemoryPlan plan_;

  BufferId input_id_ = kNoBuffer, targets_id_ = kNoBuffer, output_id_ = kNoBuffer, doutput_id_ = kNoBuffer;
  BufferId input_gradient_id_ = kNoBuffer;
  void* input_ = nullptr;
  void* targets_ = nullptr;
  float* output_ = nullptr;
  float* doutput_ = nullptr;
  float* input_gradient_ = nullptr;
};

}  // namespace slim
