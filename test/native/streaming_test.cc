// Data sets that a device has no room for: their batches are sent one by one, and nothing else is different.

#include <atomic>
#include <chrono>
#include <thread>

#include "caught.h"
#include "cpu/cpu_backend.h"
#include "deferred_backend.h"
#include "errors.h"
#include "program/host_memory.h"
#include "program/jobs.h"
#include "small_models.h"
#include "test.h"

namespace slim::test {
namespace {

constexpr Loss kSparse = Loss::kSparseCategoricalCrossentropy;
constexpr int64_t kSteps = 20, kRows = 400, kTrained = 350, kBatch = 8;
constexpr size_t kDataBytes = kRows * (kSteps + 1) * 4;

ModelSpec Network() {
  LstmSpec lstm = LstmOf(4, StandardCell());
  lstm.recurrent_dropout = 0.3f;
  return SpecBuilder::Tokens(kSteps)
      .Embedding(15, 3)
      .SpatialDropout1d(0.1f)
      .Lstm(3, lstm)
      .Dense(4, 3, Activation::kSoftmax)
      .Build();
}

struct OnDevice {
  DeferredBackend* device;
  std::unique_ptr<Model> model;
};

OnDevice MakeDeferred(const ModelSpec& spec, size_t memory = SIZE_MAX) {
  auto device = std::make_unique<DeferredBackend>(MakeCpuBackend(1), memory);
  DeferredBackend* seen = device.get();
  OnDevice made{seen, std::make_unique<Model>(spec, std::move(device), 1)};
  made.model->Compile(TrainingOf(kSparse, OptimizerKind::kAdam));
  return made;
}

std::shared_ptr<Dataset> Data(const Model& model) { return RandomData(model.program(), kSparse, kRows, 3); }

TrainJob Epoch(std::shared_ptr<const Dataset> data, uint32_t epoch) {
  TrainJob job;
  job.rows = {std::move(data), 0, kTrained, kBatch};
  job.epoch = epoch;
  job.learning_rate = 0.01f;
  return job;
}

// Enough for the model and its batches, but not for the data set beside them.
size_t LittleMemory() {
  auto [device, model] = MakeDeferred(Network());
  const auto data = Data(*model);
  Train(*model, Epoch(data, 0), NoListener());
  Evaluate(*model, {data, 0, kRows, kBatch}, NoListener());
  return device->allocated() - kDataBytes / 2;
}

std::vector<float> Copied(const HostArray<float>& values) { return {values.data(), values.data() + values.size()}; }

// All that comes of two epochs, the second in slices and with its rows as they lie, and of the other runs.
std::vector<std::vector<float>> Results(Model& model, bool streamed) {
  const auto data = Data(model);
  std::vector<float> metrics;
  const auto note = [&](const RunMetrics& run) {
    EXPECT_EQ(run.streamed, streamed);
    metrics.push_back(static_cast<float>(run.loss));
    metrics.push_back(static_cast<float>(run.accuracy));
  };
  note(Train(model, Epoch(data, 0), NoListener()));
  TrainJob slice = Epoch(data, 1);
  slice.shuffle = false;
  slice.class_weights = {1.0f, 0.5f, 2.0f};
  for (const auto& [first, most] : {std::pair<int64_t, int64_t>{0, 20}, {20, 1}, {21, 0}}) {
    slice.first_step = first;
    slice.max_steps = most;
    note(Train(model, slice, NoListener()));
  }
  note(Evaluate(model, {data, kTrained, kRows, 7}, NoListener()));
  const Prediction prediction = Predict(model, {data, 5, kRows, 6}, NoListener());
  const Gradients gradients = ComputeGradients(model, {{data, 3, kRows, 8}, true, false}, NoListener());
  EXPECT_EQ(prediction.streamed, streamed);
  EXPECT_EQ(gradients.streamed, streamed);
  return {ParametersOf(model), metrics, Copied(prediction.outputs), Copied(gradients.parameters)};
}

TEST("what is streamed comes to the bits of what the device holds") {
  auto plain = MakeModel(Network());
  plain->Compile(TrainingOf(kSparse, OptimizerKind::kAdam));
  auto [roomy, resident] = MakeDeferred(Network());
  auto [tight, streamed] = MakeDeferred(Network(), LittleMemory());
  const auto expected = Results(*plain, false);
  EXPECT(Results(*resident, false) == expected);
  EXPECT(Results(*streamed, true) == expected);
  EXPECT_EQ(roomy->fed(), 0);
  EXPECT(tight->fed() > 0);
}

TEST("numbers are streamed with targets of their own width") {
  const ModelSpec spec =
      SpecBuilder::Floats({5}).Dense(5, 7, Activation::kTanh).Dense(7, 3, Activation::kLinear).Build();
  std::vector<std::vector<float>> results;
  size_t memory = SIZE_MAX;
  for (const bool streamed : {false, true}) {
    auto [device, model] = MakeDeferred(spec, memory);
    model->Compile(TrainingOf(Loss::kMeanSquaredError));
    const auto data = RandomData(model->program(), Loss::kMeanSquaredError, 300, 5);
    TrainJob job;
    job.rows = {data, 7, 290, 9};
    job.learning_rate = 0.1f;
    EXPECT_EQ(Train(*model, job, NoListener()).streamed, streamed);
    const Gradients gradients = ComputeGradients(*model, {{data, 0, 300, 9}, false, true}, NoListener());
    results.push_back(ParametersOf(*model));
    results.push_back(Copied(gradients.input));
    memory = device->allocated() - 300 * (5 + 3) * 4 / 2;
  }
  EXPECT(results[2] == results[0]);
  EXPECT(results[3] == results[1]);
}

TEST("each batch is sent once, and the step is recorded once for each size of batch") {
  auto [device, model] = MakeDeferred(Network(), LittleMemory());
  const auto data = Data(*model);
  constexpr int64_t kStepsOfEpoch = (kTrained + kBatch - 1) / kBatch;
  for (uint32_t epoch = 0; epoch < 3; ++epoch) Train(*model, Epoch(data, epoch), NoListener());
  EXPECT_EQ(device->fed(), 3 * kStepsOfEpoch);
  EXPECT_EQ(device->replays(), 3 * kStepsOfEpoch - 2);
}

TEST("a run that is ended early leaves nothing to the next") {
  auto plain = MakeModel(Network());
  plain->Compile(TrainingOf(kSparse, OptimizerKind::kAdam));
  auto [device, streamed] = MakeDeferred(Network(), LittleMemory());
  std::vector<std::vector<float>> weights;
  for (Model* model : {plain.get(), streamed.get()}) {
    const auto data = Data(*model);
    std::atomic<bool> abort{false};
    const RunListener listener{&abort, {}};
    std::thread other([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      abort = true;
    });
    for (uint32_t epoch = 0; !Train(*model, Epoch(data, epoch), listener).aborted;) ++epoch;
    other.join();
    model->Compile(TrainingOf(kSparse, OptimizerKind::kAdam));
    const std::vector<float> initial = ParametersOf(*MakeModel(Network()));
    model->WriteParameters(0, initial.data(), static_cast<int64_t>(initial.size()));
    Train(*model, Epoch(data, 9), NoListener());
    weights.push_back(ParametersOf(*model));
  }
  EXPECT(weights[0] == weights[1]);
}

TEST("a data set that is on the device makes room for the activations of a larger batch") {
  auto plain = MakeModel(Network());
  plain->Compile(TrainingOf(kSparse, OptimizerKind::kAdam));
  const auto data = Data(*plain);
  size_t small = 0, large = 0;
  {
    auto [device, model] = MakeDeferred(Network());
    Train(*model, Epoch(data, 0), NoListener());
    small = device->allocated();
    Predict(*model, {data, 0, kRows, 300}, NoListener());
    large = device->allocated();
  }
  REQUIRE(large > small + kDataBytes / 2);
  auto [device, model] = MakeDeferred(Network(), large - kDataBytes / 2);
  EXPECT(!Train(*model, Epoch(data, 0), NoListener()).streamed);
  Train(*plain, Epoch(data, 0), NoListener());
  const Prediction prediction = Predict(*model, {data, 0, kRows, 300}, NoListener());
  EXPECT(prediction.streamed);
  EXPECT(Copied(prediction.outputs) == Copied(Predict(*plain, {data, 0, kRows, 300}, NoListener()).outputs));
  // What was decided holds.
  EXPECT(Train(*model, Epoch(data, 1), NoListener()).streamed);
  Train(*plain, Epoch(data, 1), NoListener());
  EXPECT(ParametersOf(*model) == ParametersOf(*plain));
}

TEST("a data set on the device gives way to no batch for which the host's memory lacks") {
  constexpr int64_t kMany = 40000, kLargeBatch = 5000;
  constexpr size_t kManyBytes = kMany * (kSteps + 1) * 4, kFeedBytes = 2 * kLargeBatch * kSteps * 4;
  const auto predict = [](Model& model, const std::shared_ptr<const Dataset>& many) {
    Predict(model, {many, 0, kLargeBatch, kLargeBatch}, NoListener());
  };
  size_t memory = 0;
  {
    auto [device, model] = MakeDeferred(Network());
    const auto data = Data(*model), many = RandomData(model->program(), kSparse, kMany, 4);
    Train(*model, Epoch(data, 0), NoListener());
    predict(*model, many);
    memory = device->allocated() - kManyBytes / 2;
  }
  auto [device, model] = MakeDeferred(Network(), memory);
  const auto data = Data(*model), many = RandomData(model->program(), kSparse, kMany, 4);
  EXPECT(!Train(*model, Epoch(data, 0), NoListener()).streamed);
  const size_t held = model->Memory().data;
  EXPECT(held >= kDataBytes);
  {
    const HostReservation others(HostMemoryBytes() - kManyBytes - kDataBytes - kFeedBytes / 2, "others");
    const Caught error = ErrorOf([&, &model = model] { predict(*model, many); });
    EXPECT(error.code == ErrorCode::kOutOfHostMemory);
    EXPECT_TELLS(error.text, "ERR_OUT_OF_MEMORY: Memory for two batches on their way to the device cannot be had");
  }
  EXPECT_EQ(model->Memory().data, held);
  EXPECT(!Train(*model, Epoch(data, 1), NoListener()).streamed);
  predict(*model, many);
}

TEST("a batch for which there is no memory is an error, and a smaller one is not") {
  const size_t memory = LittleMemory();
  auto [device, model] = MakeDeferred(Network(), memory);
  const auto data = Data(*model);
  for (int attempt = 0; attempt < 3; ++attempt) {
    TrainJob large = Epoch(data, 0);
    large.rows.batch_size = kTrained;
    EXPECT_THROWS(Train(*model, large, NoListener()), Error);
  }
  auto [other, fresh] = MakeDeferred(Network(), memory);
  Train(*model, Epoch(data, 0), NoListener());
  Train(*fresh, Epoch(data, 0), NoListener());
  EXPECT(ParametersOf(*model) == ParametersOf(*fresh));
  EXPECT_EQ(device->allocated(), other->allocated());
}

}  // namespace
}  // namespace slim::test
