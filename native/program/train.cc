#include <algorithm>
#include <cmath>

#include "errors.h"
#include "program/batches.h"
#include "program/jobs.h"

namespace slim {
namespace {

void CheckJob(const TrainJob& job, int64_t steps) {
  const auto reject = [](const std::string& text) { throw Error(ErrorCode::kInvalidArgument, text); };
  if (!std::isfinite(job.learning_rate) || job.learning_rate < 0) {
    reject("Expected a finite number that is not negative for learningRate but received " +
           std::to_string(job.learning_rate));
  }
  if (job.first_step < 0 || job.first_step > steps) {
    reject("Expected a step from 0 to " + std::to_string(steps) + " for firstStep but received " +
           std::to_string(job.first_step));
  }
  if (job.max_steps < 0) {
    reject("Expected an integer that is not negative for maxSteps but received " + std::to_string(job.max_steps));
  }
  for (const float weight : job.class_weights) {
    if (!std::isfinite(weight)) reject("Expected finite numbers for classWeights but received one that is not");
  }
}

}  // namespace

RunMetrics Train(Model& model, const TrainJob& job, const RunListener& listener) {
  const TrainingSpec& training = model.training();
  CheckRows(model.program(), job.rows, &training);
  const Batches batches(job.rows);
  CheckJob(job, batches.steps());

  Backend& backend = model.backend();
  ExecutionSetting setting;
  setting.chain = {batches.largest(), true, true, false, training.loss};
  setting.top_k = training.top_k;
  Execution& execution = model.Prepare(setting);
  BatchSource source;
  source.data = model.resident().Of(job.rows.data, job.rows.end, true);
  source.input_bytes = static_cast<size_t>(job.rows.data->shape().input_width) * 4;
  source.target_bytes = static_cast<size_t>(job.rows.data->shape().target_width) * 4;
  source.order =
      job.shuffle ? model.ShuffledOrder(job.epoch, job.rows.begin, batches.rows()) : model.IdentityOrder(job.rows.end);
  source.base = job.shuffle ? 0 : job.rows.begin;
  const float* class_weights = model.UploadClassWeights(job.class_weights);
  backend.Zero(model.sums(), sizeof(MetricSums));

  int64_t batch = 0;
  const std::function<void()> enqueue = [&] {
    GatherBatch(backend, source, execution, batch);
    execution.Forward(batch);
    execution.ComputeLoss(batch, class_weights, model.sums());
    execution.Backward(batch);
    model.Update();
  };
  const int64_t left = batches.steps() - job.first_step;
  const int64_t steps = job.max_steps > 0 ? std::min(job.max_steps, left) : left;
  ProgressTeller teller(model, listener);
  int64_t done = 0;
  for (; done < steps && !IsAborted(listener); ++done) {
    const int64_t step = job.first_step + done;
    batch = batches.Size(step);
    const Model::StepIdentity identity{&execution,    batch, source.data.inputs, source.data.targets, source.order,
                                       class_weights, true};
    backend.SetStep({model.seed(), model.iterations(), source.base + batches.First(step), job.learning_rate});
    backend.Run(model.KeyOf(identity), enqueue);
    model.CountIteration();
    teller.StepDone(done + 1);
  }
  RunMetrics metrics = ReadMetrics(model, done);
  metrics.aborted = done < steps;
  return metrics;
}

}  // namespace slim
