#include <algorithm>

#include "program/batches.h"
#include "program/jobs.h"
#include "program/step_loop.h"

namespace slim {
namespace {

/// Adds up the gradients of batches, each weighted by its share of the rows, in double.
class GradientSum {
 public:
  GradientSum(Model& model, int64_t floats)
      : model_(model),
        sum_(static_cast<size_t>(floats), "the sum of gradients"),
        batch_(static_cast<size_t>(floats), "the gradients of a batch") {
    std::fill_n(sum_.data(), floats, 0.0);
  }

  void Add(double share) {
    if (batch_.size() == 0) return;
    model_.backend().Download(batch_.data(), model_.gradients(), batch_.bytes());
    for (size_t i = 0; i < batch_.size(); ++i) sum_[i] += share * batch_[i];
  }

  /// Into the layout of all parameters: the trainable ones come first.
  void Write(HostArray<float>& all) const {
    for (size_t i = 0; i < sum_.size(); ++i) all[i] = static_cast<float>(sum_[i]);
    std::fill(all.data() + sum_.size(), all.data() + all.size(), 0.0f);
  }

 private:
  Model& model_;
  HostArray<double> sum_;
  HostArray<float> batch_;
};

}  // namespace

Gradients ComputeGradients(Model& model, const GradientJob& job, const RunListener& listener) {
  const TrainingSpec& training = model.training();
  const RowRange& rows = job.rows;
  CheckRows(model.program(), rows, &training);
  const Batches batches(rows);
  const int64_t input_width = model.program().input().Elements();
  const bool wants_input = job.input && !model.program().input().tokens;

  Gradients gradients;
  gradients.parameters = HostArray<float>(static_cast<size_t>(model.program().layout().floats()), "gradients");
  if (wants_input) {
    gradients.input = HostArray<float>(static_cast<size_t>(batches.rows()) * static_cast<size_t>(input_width),
                                       "the gradient of the inputs");
    std::fill_n(gradients.input.data(), gradients.input.size(), 0.0f);
  }
  ExecutionSetting setting;
  setting.chain = {.batch = batches.largest(),
                   .dropout = job.training,
                   .backward = true,
                   .input_gradient = wants_input,
                   .loss = training.loss};
  setting.top_k = training.top_k;
  StepLoop steps(model, rows, setting, AllInOrder(batches, true));
  Execution& execution = steps.execution();

  StepWork work;
  work.enqueue = [&](int64_t batch) {
    execution.Forward(batch);
    execution.ComputeLoss(batch, work.class_weights, model.sums());
    execution.Backward(batch);
  };
  GradientSum sum(model, model.program().layout().trainable_floats());
  steps.Run(work, listener, [&](int64_t step) {
    const int64_t batch = batches.Size(step);
    const double share = static_cast<double>(batch) / static_cast<double>(batches.rows());
    sum.Add(share);
    if (!wants_input) return;
    float* slice = gradients.input.data() + batches.First(step) * input_width;
    model.backend().Download(slice, execution.input_gradient(),
                             static_cast<size_t>(batch * input_width) * sizeof(float));
    for (int64_t i = 0; i < batch * input_width; ++i) slice[i] = static_cast<float>(slice[i] * share);
  });
  sum.Write(gradients.parameters);
  gradients.loss = steps.Metrics().loss;
  gradients.aborted = steps.aborted();
  gradients.streamed = steps.streamed();
  return gradients;
}

}  // namespace slim
