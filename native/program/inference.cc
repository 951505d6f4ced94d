#include "program/batch_source.h"
#include "program/batches.h"
#include "program/jobs.h"

namespace slim {
namespace {

/// All batches, the rows in the order in which they lie.
BatchOrder InOrder(const Batches& batches, bool with_targets) {
  BatchOrder order;
  order.with_targets = with_targets;
  order.end_step = batches.steps();
  return order;
}

}  // namespace

RunMetrics Evaluate(Model& model, const RowRange& rows, const RunListener& listener) {
  const TrainingSpec& training = model.training();
  CheckRows(model.program(), rows, &training);
  const Batches batches(rows);
  Backend& backend = model.backend();
  ExecutionSetting setting;
  setting.chain = {batches.largest(), false, false, false, training.loss};
  setting.top_k = training.top_k;
  Execution& execution = model.Prepare(setting);
  const std::unique_ptr<BatchSource> source = BatchSource::Open(model, execution, rows, InOrder(batches, true));
  const BatchSource::Addresses addresses = source->addresses();
  backend.Zero(model.sums(), sizeof(MetricSums));

  int64_t batch = 0;
  const std::function<void()> enqueue = [&] {
    source->Gather(batch);
    execution.Forward(batch);
    execution.ComputeLoss(batch, nullptr, model.sums());
  };
  ProgressTeller teller(model, listener);
  int64_t done = 0;
  for (; done < batches.steps() && !IsAborted(listener); ++done) {
    batch = batches.Size(done);
    source->Bring(done);
    backend.SetStep({model.seed(), model.iterations(), source->FirstRow(done), 0.0f});
    backend.Run(model.KeyOf({&execution, batch, addresses.data.inputs, addresses.data.targets, addresses.order, nullptr,
                             false}),
                enqueue);
    source->Prefetch(done + 1);
    teller.StepDone(done + 1);
  }
  RunMetrics metrics = ReadMetrics(model, done);
  metrics.aborted = done < batches.steps();
  metrics.streamed = source->streamed();
  return metrics;
}

Prediction Predict(Model& model, const RowRange& rows, const RunListener& listener) {
  CheckRows(model.program(), rows, nullptr);
  const Batches batches(rows);
  Backend& backend = model.backend();
  const int64_t width = model.program().output().Elements();
  Prediction prediction;
  prediction.outputs =
      HostArray<float>(static_cast<size_t>(batches.rows()) * static_cast<size_t>(width), "the outputs of a prediction");
  ExecutionSetting setting;
  setting.chain.batch = batches.largest();
  Execution& execution = model.Prepare(setting);
  const std::unique_ptr<BatchSource> source = BatchSource::Open(model, execution, rows, InOrder(batches, false));
  const BatchSource::Addresses addresses = source->addresses();

  int64_t batch = 0;
  const std::function<void()> enqueue = [&] {
    source->Gather(batch);
    execution.Forward(batch);
  };
  int64_t done = 0;
  for (; done < batches.steps() && !IsAborted(listener); ++done) {
    batch = batches.Size(done);
    source->Bring(done);
    backend.SetStep({model.seed(), model.iterations(), source->FirstRow(done), 0.0f});
    backend.Run(model.KeyOf({&execution, batch, addresses.data.inputs, nullptr, addresses.order, nullptr, false}),
                enqueue);
    source->Prefetch(done + 1);
    backend.Download(prediction.outputs.data() + batches.First(done) * width, execution.output(),
                     static_cast<size_t>(batch * width) * sizeof(float));
  }
  prediction.aborted = done < batches.steps();
  prediction.streamed = source->streamed();
  return prediction;
}

}  // namespace slim
