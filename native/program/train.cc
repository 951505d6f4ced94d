#include <algorithm>
#include <cmath>

#include "errors.h"
#include "program/batches.h"
#include "program/jobs.h"
#include "program/step_loop.h"

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

  const int64_t left = batches.steps() - job.first_step;
  BatchOrder order;
  if (job.shuffle) order.shuffled = job.epoch;
  order.with_targets = true;
  order.first_step = job.first_step;
  order.end_step = job.first_step + (job.max_steps > 0 ? std::min(job.max_steps, left) : left);
  ExecutionSetting setting;
  setting.chain = {
      .batch = batches.largest(), .dropout = true, .backward = true, .input_gradient = false, .loss = training.loss};
  setting.top_k = training.top_k;
  StepLoop steps(model, job.rows, setting, order);
  Execution& execution = steps.execution();

  StepWork work;
  work.class_weights = model.UploadClassWeights(job.class_weights);
  work.update = true;
  work.learning_rate = job.learning_rate;
  work.enqueue = [&](int64_t batch) {
    execution.Forward(batch);
    execution.ComputeLoss(batch, work.class_weights, model.sums());
    execution.Backward(batch);
    model.Update();
  };
  ProgressTeller teller(model, listener);
  steps.Run(work, listener, [&](int64_t) { teller.StepDone(steps.done()); });
  return steps.Metrics();
}

}  // namespace slim
