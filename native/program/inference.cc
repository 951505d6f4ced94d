#include "program/batches.h"
#include "program/jobs.h"

namespace slim {
namespace {

/// The rows in the order in which they lie.
BatchSource InOrder(Model& model, const RowRange& rows, bool with_targets) {
  BatchSource source;
  source.data = model.resident().Of(rows.data, rows.end, with_targets);
  source.input_bytes = static_cast<size_t>(rows.data->shape().input_width) * 4;
  source.target_bytes = with_targets ? static_cast<size_t>(rows.data->shape().target_width) * 4 : 0;
  source.order = model.IdentityOrder(rows.end);
  source.base = rows.begin;
  return source;
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
  const BatchSource source = InOrder(model, rows, true);
  backend.Zero(model.sums(), sizeof(MetricSums));

  int64_t batch = 0;
  const std::function<void()> enqueue = [&] {
    GatherBatch(backend, source, execution, batch);
    execution.Forward(batch);
    execution.ComputeLoss(batch, nullptr, model.sums());
  };
  ProgressTeller teller(model, listener);
  int64_t done = 0;
  for (; done < batches.steps() && !IsAborted(listener); ++done) {
    batch = batches.Size(done);
    backend.SetStep({model.seed(), model.iterations(), source.base + batches.First(done), 0.0f});
    backend.Run(model.KeyOf({&execution, batch, source.data.inputs, source.data.targets, source.order, nullptr, false}),
                enqueue);
    teller.StepDone(done + 1);
  }
  RunMetrics metrics = ReadMetrics(model, done);
  metrics.aborted = done < batches.steps();
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
  const BatchSource source = InOrder(model, rows, false);

  int64_t batch = 0;
  const std::function<void()> enqueue = [&] {
    GatherBatch(backend, source, execution, batch);
    execution.Forward(batch);
  };
  int64_t done = 0;
  for (; done < batches.steps() && !IsAborted(listener); ++done) {
    batch = batches.Size(done);
    backend.SetStep({model.seed(), model.iterations(), source.base + batches.First(done), 0.0f});
    backend.Run(model.KeyOf({&execution, batch, source.data.inputs, nullptr, source.order, nullptr, false}), enqueue);
    backend.Download(prediction.outputs.data() + batches.First(done) * width, execution.output(),
                     static_cast<size_t>(batch * width) * sizeof(float));
  }
  prediction.aborted = done < batches.steps();
  return prediction;
}

}  // namespace slim
