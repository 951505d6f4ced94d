#include <algorithm>
#include <cmath>

#include "errors.h"
#include "program/batch_source.h"
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
  const int64_t left = batches.steps() - job.first_step;
  const int64_t steps = job.max_steps > 0 ? std::min(job.max_steps, left) : left;
  BatchOrder order;
  if (job.shuffle) order.shuffled = job.epoch;
  order.with_targets = true;
  order.end_step = job.first_step + steps;
  const std::unique_ptr<BatchSource> source = BatchSource::Open(model, execution, job.rows, order);
  const BatchSource::Addresses addresses = source->addresses();
  const float* class_weights = model.UploadClassWeights(job.class_weights);
  backend.Zero(model.sums(), sizeof(MetricSums));

  int64_t batch = 0;
  const std::function<void()> enqueue = [&] {
    source->Gather(batch);
    execution.Forward(batch);
    execution.ComputeLoss(batch, class_weights, model.sums());
    execution.Backward(batch);
    model.Update();
  };
  ProgressTeller teller(model, listener);
  int64_t done = 0;
  for (; done < steps && !IsAborted(listener); ++done) {
    const int64_t step = job.first_step + done;
    batch = batches.Size(step);
    const Model::StepIdentity identity{
        &execution, batch, addresses.data.inputs, addresses.data.targets, addresses.order, class_weights, true};
    source->Bring(step);
    backend.SetStep({model.seed(), model.iterations(), source->FirstRow(step), job.learning_rate});
    backend.Run(model.KeyOf(identity), enqueue);
    model.CountIteration();
    source->Prefetch(step + 1);
    teller.StepDone(done + 1);
  }
  RunMetrics metrics = ReadMetrics(model, done);
  metrics.aborted = done < steps;
  metrics.streamed = source->streamed();
  return metrics;
}

}  // namespace slim
