// Whole networks: what a program makes of them on the CUDA device is what it makes of them on the CPU.

#include "cpu/cpu_backend.h"
#include "devices.h"
#include "program/jobs.h"
#include "small_models.h"
#include "test.h"

namespace slim::test {
namespace {

constexpr Loss kSparse = Loss::kSparseCategoricalCrossentropy;
constexpr int64_t kRows = 20, kTrained = 14;

TrainJob Epoch(std::shared_ptr<const Dataset> data, uint32_t epoch) {
  TrainJob job;
  job.rows = {std::move(data), 0, kTrained, 8};
  job.epoch = epoch;
  job.learning_rate = 0.01f;
  if (epoch > 0) job.class_weights = {1.0f, 0.5f, 2.0f};
  return job;
}

FloatArray Copied(const HostArray<float>& values) { return {values.data(), values.data() + values.size()}; }

Outputs Results(const ModelSpec& spec, std::unique_ptr<Backend> backend, const TrainingSpec& training) {
  Model model(spec, std::move(backend), 1);
  const auto data = RandomData(model.program(), kSparse, kRows, 3);
  model.Compile(training);
  FloatArray metrics;
  for (uint32_t epoch = 0; epoch < 2; ++epoch) {
    const RunMetrics trained = Train(model, Epoch(data, epoch), NoListener());
    const RunMetrics seen = Evaluate(model, {data, kTrained, kRows, 4}, NoListener());
    for (const RunMetrics& run : {trained, seen}) {
      metrics.push_back(static_cast<float>(run.loss));
      metrics.push_back(static_cast<float>(run.accuracy));
    }
  }
  const Prediction prediction = Predict(model, {data, 5, kRows, 16}, NoListener());
  const Gradients gradients = ComputeGradients(model, {{data, 0, kRows, 16}, true, false}, NoListener());
  return {{"parameters", ParametersOf(model)},
          {"metrics", metrics},
          {"predictions", Copied(prediction.outputs)},
          {"gradients", Copied(gradients.parameters)}};
}

// Four steps of training carry differences of rounding on.
constexpr Closeness kTrainedInFloat32 = {Precision::kFloat32, 1e-4};

void ExpectNetwork(const ModelSpec& spec, const TrainingSpec& training,
                   const Closeness& closeness = kTrainedInFloat32) {
  const Outputs expected = Results(spec, MakeCpuBackend(1), training);
  Outputs first;
  for (int run = 0; run < 2; ++run) {
    const Outputs outputs = Results(spec, OpenCudaDevice(run, closeness.precision), training);
    if (run == 0) first = outputs;
    for (size_t i = 0; i < outputs.size(); ++i) {
      const FloatArray& own = outputs[i].values;
      const std::vector<double> cpu(expected[i].values.begin(), expected[i].values.end());
      if (!(RelativeError(own, cpu) <= closeness.tolerance)) {
        Fail(__FILE__, __LINE__, std::string(outputs[i].name) + " are off by " + Show(RelativeError(own, cpu)));
      }
      if (own != first[i].values) Fail(__FILE__, __LINE__, std::string(outputs[i].name) + " have other bits again");
    }
  }
}

TEST("training, evaluation, prediction and gradients come to the CPU's values, the same bits each time") {
  TrainingSpec training = TrainingOf(kSparse, OptimizerKind::kAdamw);
  training.optimizer.weight_decay = 0.01f;
  training.optimizer.clip_norm = 0.5f;
  ExpectNetwork(WholeNetwork(false), training);
}

TEST("padding that is masked is left out as on the CPU") {
  ExpectNetwork(WholeNetwork(true), TrainingOf(kSparse, OptimizerKind::kRmsprop));
}

// By an optimizer that does not divide by the size of a gradient, and without layers whose gradients jump where
// rounding moves a number: relu and pooling.
TEST("in tf32 and bfloat16 a network comes as close to the CPU's values as they are") {
  for (const Closeness& closeness : kReducedPrecisions) {
    ExpectNetwork(WholeNetwork(true), TrainingOf(kSparse, OptimizerKind::kSgd), closeness);
  }
}

}  // namespace
}  // namespace slim::test
