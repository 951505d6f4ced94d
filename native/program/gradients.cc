#include <algorithm>

#include "program/batch_source.h"
#include "program/batches.h"
#include "program/jobs.h"

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
  Backend& backend = model.backend();
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
  setting.chain = {batches.largest(), job.training, true, wants_input, training.loss};
  setting.top_k = training.top_k;
  Execution& execution = model.Prepare(setting);
  BatchOrder order;
  order.with_targets = true;
  order.end_step = batches.steps();
  const std::unique_ptr<BatchSource> source = BatchSource::Open(model, execution, rows, order);
  const BatchSource::Addresses addresses = source->addresses();
  backend.Zero(model.sums(), sizeof(MetricSums));

  int64_t batch = 0;
  const std::function<void()> enqueue = [&] {
    source->Gather(batch);
    execution.Forward(batch);
    execution.ComputeLoss(batch, nullptr, model.sums());
    execution.Backward(batch);
  };
  GradientSum sum(model, model.program().layout().trainable_floats());
  int64_t done = 0;
  for (; done < batches.steps() && !IsAborted(listener); ++done) {
    batch = batches.Size(done);
    const double share = static_cast<double>(batch) / static_cast<double>(batches.rows());
    source->Bring(done);
    backend.SetStep({model.seed(), model.iterations(), source->FirstRow(done), 0.0f});
    backend.Run(model.KeyOf({&execution, batch, addresses.data.inputs, addresses.data.targets, addresses.order, nullptr,
                             false}),
                enqueue);
    source->Prefetch(done + 1);
    sum.Add(share);
    if (wants_input) {
      float* slice = gradients.input.data() + batches.First(done) * input_width;
      backend.Download(slice, execution.input_gradient(), static_cast<size_t>(batch * input_width) * sizeof(float));
      for (int64_t i = 0; i < batch * input_width; ++i) slice[i] = static_cast<float>(slice[i] * share);
    }
  }
  sum.Write(gradients.parameters);
  gradients.loss = ReadMetrics(model, done).loss;
  gradients.aborted = done < batches.steps();
  gradients.streamed = source->streamed();
  return gradients;
}

}  // namespace slim
