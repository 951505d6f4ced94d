// A program runs the same on a device whose memory the host cannot touch and whose work is done later, replayed from
// recorded steps.

#include "cpu/cpu_backend.h"
#include "deferred_backend.h"
#include "program/jobs.h"
#include "small_models.h"
#include "test.h"

namespace slim::test {
namespace {

constexpr Loss kSparse = Loss::kSparseCategoricalCrossentropy;

struct OnDevice {
  DeferredBackend* device;
  std::unique_ptr<Model> model;
};

OnDevice MakeDeferred(const ModelSpec& spec) {
  auto device = std::make_unique<DeferredBackend>(MakeCpuBackend(1));
  DeferredBackend* seen = device.get();
  return {seen, std::make_unique<Model>(spec, std::move(device), 1)};
}

TrainJob Epoch(std::shared_ptr<const Dataset> data, uint32_t epoch) {
  TrainJob job;
  job.rows = {std::move(data), 0, 30, 8};
  job.epoch = epoch;
  job.learning_rate = 0.01f;
  return job;
}

TEST("training, evaluation, prediction and gradients come to the CPU's bits") {
  for (const bool masked : {false, true}) {
    const ModelSpec spec = WholeNetwork(masked);
    auto plain = MakeModel(spec);
    auto [device, deferred] = MakeDeferred(spec);
    const auto data = RandomData(plain->program(), kSparse, 40, 3);
    TrainingSpec training = TrainingOf(kSparse, OptimizerKind::kAdamw);
    training.optimizer.weight_decay = 0.01f;
    training.optimizer.clip_norm = 0.5f;
    std::vector<RunMetrics> metrics;
    std::vector<std::vector<float>> results;
    for (Model* model : {plain.get(), deferred.get()}) {
      model->Compile(training);
      for (uint32_t epoch = 0; epoch < 3; ++epoch) {
        TrainJob job = Epoch(data, epoch);
        if (epoch > 0) job.class_weights = {1.0f, 0.5f, 2.0f};
        metrics.push_back(Train(*model, job, NoListener()));
        metrics.push_back(Evaluate(*model, {data, 30, 40, 4}, NoListener()));
      }
      const Prediction prediction = Predict(*model, {data, 5, 40, 16}, NoListener());
      const Gradients gradients = ComputeGradients(*model, {{data, 0, 40, 16}, true, false}, NoListener());
      std::vector<float> optimizer(static_cast<size_t>(model->OptimizerFloats()));
      model->ReadOptimizer(optimizer.data());
      results.push_back(ParametersOf(*model));
      results.emplace_back(prediction.outputs.data(), prediction.outputs.data() + prediction.outputs.size());
      results.emplace_back(gradients.parameters.data(), gradients.parameters.data() + gradients.parameters.size());
      results.push_back(std::move(optimizer));
    }
    for (size_t i = 0; i < 6; ++i) {
      EXPECT_EQ(metrics[i].loss, metrics[i + 6].loss);
      EXPECT_EQ(metrics[i].accuracy, metrics[i + 6].accuracy);
      EXPECT_EQ(metrics[i].samples, metrics[i + 6].samples);
    }
    for (size_t i = 0; i < 4; ++i) EXPECT(results[i] == results[i + 4]);
  }
}

TEST("a step is recorded once for each size of batch and then replayed, epoch after epoch") {
  auto [device, model] = MakeDeferred(WholeNetwork(false));
  model->Compile(TrainingOf(kSparse));
  const auto data = RandomData(model->program(), kSparse, 30, 3);
  // Four steps an epoch, three of 8 rows and one of 6.
  Train(*model, Epoch(data, 0), NoListener());
  EXPECT_EQ(device->replays(), 2);
  for (uint32_t epoch = 1; epoch < 10; ++epoch) Train(*model, Epoch(data, epoch), NoListener());
  EXPECT_EQ(device->replays(), 38);
}

TEST("a data set is copied to the device once, and rows appended later when they are used") {
  auto [device, model] = MakeDeferred(WholeNetwork(false));
  model->Compile(TrainingOf(kSparse));
  const auto all = RandomData(model->program(), kSparse, 40, 3);
  auto data = std::make_shared<Dataset>(all->shape());
  const auto append = [&](int64_t begin, int64_t end) {
    const int64_t steps = all->shape().input_width;
    data->AppendInputs(static_cast<const int32_t*>(all->inputs()) + begin * steps, (end - begin) * steps);
    data->AppendTargets(static_cast<const int32_t*>(all->targets()) + begin, end - begin);
  };
  append(0, 30);
  Train(*model, Epoch(data, 0), NoListener());
  const size_t before = device->uploaded();
  Train(*model, Epoch(data, 1), NoListener());
  // The order of the rows alone.
  EXPECT_EQ(device->uploaded() - before, 30 * sizeof(int32_t));

  append(30, 40);
  auto plain = MakeModel(WholeNetwork(false));
  plain->Compile(TrainingOf(kSparse));
  const std::vector<float> weights = ParametersOf(*model);
  plain->WriteParameters(0, weights.data(), static_cast<int64_t>(weights.size()));
  EXPECT_EQ(Evaluate(*model, {data, 0, 40, 40}, NoListener()).loss,
            Evaluate(*plain, {all, 0, 40, 40}, NoListener()).loss);
}

TEST("all memory of the device is given back") {
  auto [device, model] = MakeDeferred(WholeNetwork(true));
  model->Compile(TrainingOf(kSparse, OptimizerKind::kAdam));
  auto data = RandomData(model->program(), kSparse, 30, 3);
  Train(*model, Epoch(data, 0), NoListener());
  const size_t held = device->blocks();
  // Another data set takes the place of one that is gone.
  for (uint64_t seed = 4; seed < 8; ++seed) {
    data = RandomData(model->program(), kSparse, 30, seed);
    Train(*model, Epoch(data, 0), NoListener());
    EXPECT_EQ(device->blocks(), held);
  }
  model->Compile(TrainingOf(kSparse, OptimizerKind::kSgd));
  EXPECT(device->blocks() < held);
}

}  // namespace
}  // namespace slim::test
