#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "program/batch_source.h"
#include "program/batches.h"

namespace slim {

/// All batches, the rows in the order in which they lie.
inline BatchOrder AllInOrder(const Batches& batches, bool with_targets) {
  BatchOrder order;
  order.with_targets = with_targets;
  order.end_step = batches.steps();
  return order;
}

/// What each step of a run does with its batch.
struct StepWork {
  /// Enqueues the operations on the execution's inputs and targets. A device may replay them, so they depend on the
  /// size of the batch and the members below alone.
  std::function<void(int64_t batch)> enqueue;
  const float* class_weights = nullptr;  // that they read
  bool update = false;                   // whether they end in an update of the weights
  float learning_rate = 0.0f;
};

/// The steps of a run. Each brings a batch to the device and has it work on it, while the next one is prepared.
class StepLoop {
 public:
  /// For rows that were checked; `setting` asks for no more than their largest batch. The metrics start anew. Throws
  /// Error (kOutOfMemory).
  StepLoop(Model& model, const RowRange& rows, const ExecutionSetting& setting, const BatchOrder& order);

  Execution& execution() { return execution_; }

  /// All steps of the order, or those before an abort. `enqueued(step)` follows each and may wait for the device.
  void Run(const StepWork& work, const RunListener& listener, const std::function<void(int64_t step)>& enqueued);

  int64_t done() const { return done_; }
  bool aborted() const { return order_.first_step + done_ < order_.end_step; }
  bool streamed() const { return source_->streamed(); }
  /// Of the steps so far; waits for the device.
  RunMetrics Metrics() const;

 private:
  Model& model_;
  Batches batches_;
  BatchOrder order_;
  Execution& execution_;
  std::unique_ptr<BatchSource> source_;
  int64_t done_ = 0;
};

}  // namespace slim
