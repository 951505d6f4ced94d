#include "program/step_loop.h"

namespace slim {

StepLoop::StepLoop(Model& model, const RowRange& rows, const ExecutionSetting& setting, const BatchOrder& order)
    : model_(model),
      batches_(rows),
      order_(order),
      execution_(model.Prepare(setting)),
      source_(BatchSource::Open(model, execution_, rows, order)) {
  model.backend().Zero(model.sums(), sizeof(MetricSums));
}

void StepLoop::Run(const StepWork& work, const RunListener& listener,
                   const std::function<void(int64_t step)>& enqueued) {
  Backend& backend = model_.backend();
  const BatchSource::Addresses addresses = source_->addresses();
  int64_t batch = 0;
  const std::function<void()> enqueue = [&] {
    source_->Gather(batch);
    work.enqueue(batch);
  };
  for (int64_t step = order_.first_step; step < order_.end_step && !IsAborted(listener); ++step) {
    batch = batches_.Size(step);
    source_->Bring(step);
    backend.SetStep({model_.seed(), model_.iterations(), source_->FirstRow(step), work.learning_rate});
    backend.Run(model_.KeyOf({&execution_, batch, addresses.data.inputs, addresses.data.targets, addresses.order,
                              work.class_weights, work.update}),
                enqueue);
    if (work.update) model_.CountIteration();
    source_->Prefetch(step + 1);
    ++done_;
    enqueued(step);
  }
}

RunMetrics StepLoop::Metrics() const {
  RunMetrics metrics = ReadMetrics(model_, done_);
  metrics.aborted = aborted();
  metrics.streamed = streamed();
  return metrics;
}

}  // namespace slim
