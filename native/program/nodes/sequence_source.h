#pragma once

#include "program/nodes/node.h"

namespace slim {

/// The rows that a layer over sequences reads, written out or still tokens and table, and where their gradient goes.
class SequenceSource {
 public:
  void PlanForward(MemoryPlan& plan, int time, const Value& x);
  /// The rows are read again in the backward pass at `time`.
  void Keep(MemoryPlan& plan, int time) const;
  /// Returns the block that takes the gradient of written rows, of `bytes`; kNoBuffer for an embedding's table.
  BufferId PlanGradient(MemoryPlan& plan, int time, size_t bytes);
  void Bind(const Addresses& addresses);

  bool embedded() const { return embedded_.has_value(); }
  const SequenceInput& input() const { return input_; }
  const SequenceGradient& gradient() const { return gradient_; }

 private:
  BufferId rows_id_ = kNoBuffer, gradient_id_ = kNoBuffer;
  std::optional<EmbeddedRows> embedded_;
  bool wants_gradient_ = false;
  SequenceInput input_;
  SequenceGradient gradient_;
};

}  // namespace slim
