#include "program/nodes/sequence_source.h"

namespace slim {

void SequenceSource::PlanForward(MemoryPlan& plan, int time, const Value& x) {
  embedded_ = x.embedded;
  rows_id_ = embedded_ ? embedded_->tokens : x.data;
  plan.Extend(rows_id_, time);
}

void SequenceSource::Keep(MemoryPlan& plan, int time) const { plan.Extend(rows_id_, time); }

BufferId SequenceSource::PlanGradient(MemoryPlan& plan, int time, size_t bytes) {
  wants_gradient_ = true;
  if (embedded_) return kNoBuffer;
  return gradient_id_ = plan.Add(bytes, time);
}

void SequenceSource::Bind(const Addresses& addresses) {
  input_ = {};
  gradient_ = {};
  if (!embedded_) {
    input_.x = addresses.Of(rows_id_);
    gradient_.dx = addresses.Of(gradient_id_);
    return;
  }
  input_.tokens = addresses.Of<int32_t>(rows_id_);
  input_.table = addresses.Values(embedded_->table);
  input_.vocabulary = embedded_->vocabulary;
  if (wants_gradient_) gradient_.dtable = addresses.Gradient(embedded_->table);
}

}  // namespace slim
