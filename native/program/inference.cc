#include "program/batches.h"
#include "program/jobs.h"
#include "program/step_loop.h"

namespace slim {

RunMetrics Evaluate(Model& model, const RowRange& rows, const RunListener& listener) {
  const TrainingSpec& training = model.training();
  CheckRows(model.program(), rows, &training);
  const Batches batches(rows);
  ExecutionSetting setting;
  setting.chain.batch = batches.largest();
  setting.chain.loss = training.loss;
  setting.top_k = training.top_k;
  StepLoop steps(model, rows, setting, AllInOrder(batches, true));
  Execution& execution = steps.execution();

  StepWork work;
  work.enqueue = [&](int64_t batch) {
    execution.Forward(batch);
    execution.ComputeLoss(batch, work.class_weights, model.sums());
  };
  ProgressTeller teller(model, listener);
  steps.Run(work, listener, [&](int64_t) { teller.StepDone(steps.done()); });
  return steps.Metrics();
}

Prediction Predict(Model& model, const RowRange& rows, const RunListener& listener) {
  CheckRows(model.program(), rows, nullptr);
  const Batches batches(rows);
  const int64_t width = model.program().output().Elements();
  Prediction prediction;
  prediction.outputs =
      HostArray<float>(static_cast<size_t>(batches.rows()) * static_cast<size_t>(width), "the outputs of a prediction");
  ExecutionSetting setting;
  setting.chain.batch = batches.largest();
  StepLoop steps(model, rows, setting, AllInOrder(batches, false));
  Execution& execution = steps.execution();

  StepWork work;
  work.enqueue = [&](int64_t batch) { execution.Forward(batch); };
  steps.Run(work, listener, [&](int64_t step) {
    model.backend().Download(prediction.outputs.data() + batches.First(step) * width, execution.output(),
                             static_cast<size_t>(batches.Size(step) * width) * sizeof(float));
  });
  prediction.aborted = steps.aborted();
  prediction.streamed = steps.streamed();
  return prediction;
}

}  // namespace slim
