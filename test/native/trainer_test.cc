// Runs over data: training, evaluation, prediction, abort, resuming, determinism, memory that cannot be had.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <thread>

#include "caught.h"
#include "philox.h"
#include "program/jobs.h"
#include "program/row_order.h"
#include "small_models.h"
#include "test.h"

namespace slim::test {
namespace {

constexpr Loss kSparse = Loss::kSparseCategoricalCrossentropy;

/// Every kind of layer, with every kind of dropout.
ModelSpec WholeNetwork() {
  LstmSpec lstm = LstmOf(6, StandardCell(), true);
  lstm.input_dropout = 0.2f;
  lstm.recurrent_dropout = 0.3f;
  return SpecBuilder::Tokens(24)
      .Embedding(20, 6)
      .Conv1d(6, 8, 3, Activation::kRelu)
      .MaxPooling1d(2, 2)
      .Dropout(0.2f)
      .Bidirectional(8, lstm, Merge::kConcat)
      .SpatialDropout1d(0.1f)
      .Lstm(12, LstmOf(5, MixedCell()))
      .Dense(5, 4, Activation::kSoftmax)
      .Build();
}

TrainJob Epoch(std::shared_ptr<const Dataset> data, int64_t rows, int64_t batch, uint32_t epoch) {
  TrainJob job;
  job.rows = {std::move(data), 0, rows, batch};
  job.epoch = epoch;
  job.learning_rate = 0.01f;
  return job;
}

/// Points in the plane, their class told by a line.
std::shared_ptr<Dataset> Points(int64_t rows) {
  DatasetShape shape;
  shape.rows = rows;
  shape.input_width = 2;
  shape.target_width = 1;
  shape.classes = 2;
  auto data = std::make_shared<Dataset>(shape);
  const RandomStream stream{9, 0, 0};
  for (int64_t row = 0; row < rows; ++row) {
    const float point[2] = {static_cast<float>(stream.Word(static_cast<uint64_t>(2 * row)) * 0x1p-31 - 1),
                            static_cast<float>(stream.Word(static_cast<uint64_t>(2 * row + 1)) * 0x1p-31 - 1)};
    const int32_t side = point[0] + 0.4f * point[1] > 0.1f;
    data->AppendInputs(point, 2);
    data->AppendTargets(&side, 1);
  }
  return data;
}

std::unique_ptr<Model> PointModel() {
  auto model =
      MakeModel(SpecBuilder::Floats({2}).Dense(2, 8, Activation::kTanh).Dense(8, 2, Activation::kSoftmax).Build());
  model->Compile(TrainingOf(kSparse, OptimizerKind::kAdam));
  return model;
}

TEST("every optimizer learns which side of a line points lie on") {
  const auto data = Points(256);
  for (const auto kind : {OptimizerKind::kSgd, OptimizerKind::kRmsprop, OptimizerKind::kAdam, OptimizerKind::kAdamw}) {
    auto model = PointModel();
    TrainingSpec training = TrainingOf(kSparse, kind);
    training.optimizer.momentum = kind == OptimizerKind::kSgd ? 0.9f : 0.0f;
    model->Compile(training);
    double first = 0, last = 0;
    for (uint32_t epoch = 0; epoch < 30; ++epoch) {
      last = Train(*model, Epoch(data, 256, 16, epoch), NoListener()).loss;
      if (epoch == 0) first = last;
    }
    EXPECT(last < 0.5 * first);
    EXPECT(Evaluate(*model, {data, 0, 256, 100}, NoListener()).accuracy > 0.97);
  }
}

TEST("one, two and five threads train a network of every layer to the same bits") {
  std::vector<float> first;
  for (const int threads : {1, 2, 5}) {
    auto model = MakeModel(WholeNetwork(), threads);
    model->Compile(TrainingOf(kSparse, OptimizerKind::kRmsprop));
    const auto data = RandomData(model->program(), kSparse, 50, 3);
    for (uint32_t epoch = 0; epoch < 2; ++epoch) Train(*model, Epoch(data, 50, 16, epoch), NoListener());
    const std::vector<float> weights = ParametersOf(*model);
    for (const float weight : weights) REQUIRE(std::isfinite(weight));
    if (first.empty()) first = weights;
    EXPECT(std::memcmp(weights.data(), first.data(), first.size() * sizeof(float)) == 0);
  }
}

TEST("an epoch in slices, and one resumed by another model, end in the same bits as a whole one") {
  auto whole = MakeModel(WholeNetwork());
  whole->Compile(TrainingOf(kSparse, OptimizerKind::kAdam));
  const auto data = RandomData(whole->program(), kSparse, 50, 3);
  EXPECT_EQ(Train(*whole, Epoch(data, 50, 8, 4), NoListener()).steps, 7);

  auto first = MakeModel(WholeNetwork());
  first->Compile(TrainingOf(kSparse, OptimizerKind::kAdam));
  TrainJob job = Epoch(data, 50, 8, 4);
  job.max_steps = 3;
  EXPECT_EQ(Train(*first, job, NoListener()).steps, 3);
  std::vector<float> state(static_cast<size_t>(first->OptimizerFloats()));
  first->ReadOptimizer(state.data());

  auto second = MakeModel(WholeNetwork(), 2);
  second->Compile(TrainingOf(kSparse, OptimizerKind::kAdam));
  const std::vector<float> weights = ParametersOf(*first);
  second->WriteParameters(0, weights.data(), static_cast<int64_t>(weights.size()));
  second->WriteOptimizer(first->iterations(), state.data(), static_cast<int64_t>(state.size()));
  job.first_step = 3;
  job.max_steps = 0;
  EXPECT_EQ(Train(*second, job, NoListener()).steps, 4);
  EXPECT(ParametersOf(*second) == ParametersOf(*whole));
}

TEST("an aborted run is as one of so many steps, and the model goes on from there") {
  auto aborted = PointModel();
  const auto data = Points(4096);
  std::atomic<bool> abort{false};
  RunListener listener{&abort, {}};
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    abort = true;
  });
  TrainJob job = Epoch(data, 4096, 1, 0);
  int64_t steps = 0;
  for (bool ended = false; !ended; ++job.epoch) {
    const RunMetrics metrics = Train(*aborted, job, listener);
    ended = metrics.aborted;
    steps += metrics.steps;
  }
  other.join();
  EXPECT_EQ(static_cast<int64_t>(aborted->iterations()), steps);

  auto counted = PointModel();
  for (job.epoch = 0; steps > 0; ++job.epoch) {
    job.max_steps = steps;
    steps -= Train(*counted, job, NoListener()).steps;
  }
  EXPECT(ParametersOf(*aborted) == ParametersOf(*counted));

  abort = true;
  const RunMetrics nothing = Evaluate(*aborted, {data, 0, 100, 10}, listener);
  EXPECT(nothing.aborted);
  EXPECT_EQ(nothing.steps, 0);
  EXPECT(!Evaluate(*aborted, {data, 0, 100, 10}, NoListener()).aborted);
}

TEST("loss and accuracy are those of the predicted probabilities, whatever the batch") {
  auto model = MakeModel(WholeNetwork());
  TrainingSpec training = TrainingOf(kSparse);
  training.top_k = 2;
  model->Compile(training);
  const auto data = RandomData(model->program(), kSparse, 23, 8);
  const Prediction prediction = Predict(*model, {data, 0, 23, 5}, NoListener());
  const auto* classes = static_cast<const int32_t*>(data->targets());
  double loss = 0, correct = 0, found = 0;
  for (int64_t row = 0; row < 23; ++row) {
    const float* p = prediction.outputs.data() + row * 4;
    EXPECT_NEAR(std::accumulate(p, p + 4, 0.0), 1, 1e-6);
    loss -= std::log(p[classes[row]]);
    const auto larger = std::count_if(p, p + 4, [&](float other) { return other > p[classes[row]]; });
    correct += larger == 0;
    found += larger < 2;
  }
  for (const int64_t batch : {1, 4, 23, 1000}) {
    const RunMetrics metrics = Evaluate(*model, {data, 0, 23, batch}, NoListener());
    EXPECT_NEAR(metrics.loss, loss / 23, 1e-5);
    EXPECT_NEAR(metrics.accuracy, correct / 23, 1e-9);
    EXPECT_NEAR(metrics.top_k, found / 23, 1e-9);
    EXPECT_EQ(metrics.samples, 23.0);
  }
}

TEST("rows in the middle of a data set are taken alone, in order or shuffled") {
  auto model = PointModel();
  const auto data = Points(40);
  const Prediction all = Predict(*model, {data, 0, 40, 40}, NoListener());
  const Prediction some = Predict(*model, {data, 13, 31, 7}, NoListener());
  EXPECT_EQ(some.outputs.size(), 36u);
  for (size_t i = 0; i < 36; ++i) EXPECT_EQ(some.outputs[i], all.outputs[26 + i]);

  // A training on rows that are alone in a data set of their own comes to the same weights.
  DatasetShape shape = data->shape();
  shape.rows = 18;
  auto alone = std::make_shared<Dataset>(shape);
  alone->AppendInputs(static_cast<const float*>(data->inputs()) + 26, 36);
  alone->AppendTargets(static_cast<const int32_t*>(data->targets()) + 13, 18);
  for (const bool shuffle : {false, true}) {
    auto a = PointModel(), b = PointModel();
    TrainJob job = Epoch(data, 0, 4, 2);
    job.rows.begin = 13;
    job.rows.end = 31;
    job.shuffle = shuffle;
    Train(*a, job, NoListener());
    job.rows = {alone, 0, 18, 4};
    Train(*b, job, NoListener());
    EXPECT(ParametersOf(*a) == ParametersOf(*b));
  }
}

TEST("an epoch's order is a permutation, another for each epoch and seed, with no place preferred") {
  std::vector<int32_t> order(1000), again(1000);
  WriteShuffled({1, 2, 50, 1000}, order.data());
  WriteShuffled({1, 2, 50, 1000}, again.data());
  EXPECT(order == again);
  WriteShuffled({1, 3, 50, 1000}, again.data());
  EXPECT(order != again);
  WriteShuffled({2, 2, 50, 1000}, again.data());
  EXPECT(order != again);
  std::sort(order.begin(), order.end());
  for (int32_t i = 0; i < 1000; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], 50 + i);

  // The 24 orders of four rows, each met about equally often.
  std::vector<int> met(256);
  for (uint32_t epoch = 0; epoch < 24000; ++epoch) {
    int32_t four[4];
    WriteShuffled({7, epoch, 0, 4}, four);
    ++met[static_cast<size_t>(four[0]) * 64 + static_cast<size_t>(four[1]) * 16 + static_cast<size_t>(four[2]) * 4 +
          static_cast<size_t>(four[3])];
  }
  int orders = 0;
  double chi_squared = 0;
  for (const int count : met) {
    if (count == 0) continue;
    ++orders;
    chi_squared += (count - 1000.0) * (count - 1000.0) / 1000.0;
  }
  EXPECT_EQ(orders, 24);
  EXPECT(chi_squared < 60);  // 23 degrees of freedom: beyond 60 once in 30,000 trials
}

TEST("dropout acts in training alone, and differently in each step") {
  const auto build = [](float rate) {
    auto model = MakeModel(SpecBuilder::Floats({6}).Dropout(rate).Dense(6, 3, Activation::kSoftmax).Build());
    model->Compile(TrainingOf(kSparse));
    return model;
  };
  auto dropping = build(0.5f), keeping = build(0.0f);
  const auto data = RandomData(dropping->program(), kSparse, 8, 2);
  const std::vector<float> weights = ParametersOf(*keeping);
  dropping->WriteParameters(0, weights.data(), static_cast<int64_t>(weights.size()));
  EXPECT_EQ(Evaluate(*dropping, {data, 0, 8, 8}, NoListener()).loss,
            Evaluate(*keeping, {data, 0, 8, 8}, NoListener()).loss);
  const GradientJob with{{data, 0, 8, 8}, true, false}, without{{data, 0, 8, 8}, false, false};
  EXPECT_EQ(ComputeGradients(*dropping, without, NoListener()).loss,
            ComputeGradients(*keeping, without, NoListener()).loss);
  const double at_step_0 = ComputeGradients(*dropping, with, NoListener()).loss;
  EXPECT(at_step_0 != ComputeGradients(*keeping, with, NoListener()).loss);
  EXPECT_EQ(at_step_0, ComputeGradients(*dropping, with, NoListener()).loss);
  TrainJob job = Epoch(data, 8, 8, 0);
  job.learning_rate = 0;
  Train(*dropping, job, NoListener());
  EXPECT(at_step_0 != ComputeGradients(*dropping, with, NoListener()).loss);
}

TEST("frozen weights stay, and so do all weights at a learning rate of zero") {
  auto model = MakeModel(SpecBuilder::Tokens(9)
                             .Embedding(8, 4)
                             .Frozen()
                             .Lstm(4, LstmOf(5, StandardCell()))
                             .Dense(5, 3, Activation::kSoftmax)
                             .Build());
  model->Compile(TrainingOf(kSparse, OptimizerKind::kAdamw));
  const auto data = RandomData(model->program(), kSparse, 20, 4);
  const std::vector<float> before = ParametersOf(*model);
  Train(*model, Epoch(data, 20, 4, 0), NoListener());
  const std::vector<float> after = ParametersOf(*model);
  for (const Parameter& array : model->program().layout().parameters()) {
    const bool same = std::equal(before.begin() + array.offset, before.begin() + array.offset + array.size,
                                 after.begin() + array.offset);
    EXPECT_EQ(same, !array.trainable);
  }
  // The gaps between arrays stay zero, so they never weigh in a norm.
  std::vector<bool> used(after.size());
  for (const Parameter& array : model->program().layout().parameters()) {
    for (int64_t i = 0; i < array.size; ++i) used[static_cast<size_t>(array.offset + i)] = true;
  }
  for (size_t i = 0; i < after.size(); ++i) EXPECT(used[i] || after[i] == 0.0f);
}

TEST("class weights scale a sample's loss, and a class of weight zero teaches nothing") {
  auto model = PointModel();
  const auto data = Points(32);
  TrainJob job = Epoch(data, 32, 32, 0);
  job.learning_rate = 0;
  const double plain = Train(*model, job, NoListener()).loss;
  job.class_weights = {2.0f, 2.0f};
  EXPECT_NEAR(Train(*model, job, NoListener()).loss, 2 * plain, 1e-6);
  job.class_weights = {1.0f};
  EXPECT_THROWS(Train(*model, job, NoListener()), Error);
  job.class_weights = {0.0f, 0.0f};
  job.learning_rate = 0.1f;
  const std::vector<float> before = ParametersOf(*model);
  auto fresh = PointModel();
  fresh->WriteParameters(0, before.data(), static_cast<int64_t>(before.size()));
  Train(*fresh, job, NoListener());
  EXPECT(ParametersOf(*fresh) == before);
}

TEST("progress is told in time order, not more often than every 50 ms") {
  auto model = PointModel();
  const auto data = Points(100000);
  std::atomic<bool> abort{false};
  std::vector<int64_t> steps;
  std::vector<std::chrono::steady_clock::time_point> times;
  RunListener listener{&abort, [&](const RunMetrics& metrics) {
                         steps.push_back(metrics.steps);
                         times.push_back(std::chrono::steady_clock::now());
                         EXPECT_EQ(metrics.samples, static_cast<double>(metrics.steps));
                         abort = steps.size() == 3;
                       }};
  Train(*model, Epoch(data, 100000, 1, 0), listener);
  for (size_t i = 1; i < steps.size(); ++i) {
    EXPECT(steps[i] > steps[i - 1]);
    EXPECT(times[i] - times[i - 1] >= std::chrono::milliseconds(45));
  }
}

TEST("a model without anything to train runs, and its gradients are zeros") {
  auto model = MakeModel(SpecBuilder::Floats({3}).Dense(3, 2, Activation::kSoftmax).Frozen().Build());
  model->Compile(TrainingOf(kSparse, OptimizerKind::kAdam));
  const auto data = RandomData(model->program(), kSparse, 6, 1);
  const std::vector<float> before = ParametersOf(*model);
  EXPECT_EQ(Train(*model, Epoch(data, 6, 4, 0), NoListener()).steps, 2);
  EXPECT(ParametersOf(*model) == before);
  const Gradients gradients = ComputeGradients(*model, {{data, 0, 6, 6}, false, true}, NoListener());
  for (size_t i = 0; i < gradients.parameters.size(); ++i) EXPECT_EQ(gradients.parameters[i], 0.0f);
  EXPECT_EQ(gradients.input.size(), 18u);
  EXPECT(std::any_of(gradients.input.data(), gradients.input.data() + 18, [](float g) { return g != 0; }));
}

TEST("executions share one arena: a larger batch grows it, other kinds of run leave each other's results alone") {
  auto model = MakeModel(WholeNetwork());
  model->Compile(TrainingOf(kSparse));
  const auto data = RandomData(model->program(), kSparse, 40, 6);
  const auto outputs = [&](int64_t batch) {
    const Prediction prediction = Predict(*model, {data, 0, 40, batch}, NoListener());
    return std::vector<float>(prediction.outputs.data(), prediction.outputs.data() + prediction.outputs.size());
  };
  const std::vector<float> first = outputs(40);
  const size_t inference = model->Memory().activations;
  ComputeGradients(*model, {{data, 0, 40, 40}, false, false}, NoListener());
  const size_t training = model->Memory().activations;
  EXPECT(training > inference);
  EXPECT(outputs(40) == first);
  const std::vector<float> by_three = outputs(3);
  for (size_t i = 0; i < first.size(); ++i) EXPECT_NEAR(by_three[i], first[i], 1e-6);
  EXPECT_EQ(model->Memory().activations, training);
}

TEST("memory that cannot be had is refused with its bytes, and the model lives on") {
  const Caught error =
      ErrorOf([] { MakeModel(SpecBuilder::Floats({1 << 21}).Dense(1 << 21, 1 << 21, Activation::kLinear).Build()); });
  EXPECT(error.code == ErrorCode::kOutOfHostMemory);
  EXPECT_TELLS(error.text, "ERR_OUT_OF_MEMORY: ");
  EXPECT_TELLS(error.text, "17592194433024 bytes");
  auto model =
      MakeModel(SpecBuilder::Floats({1 << 20, 1}).Dense(1, 1 << 20, Activation::kLinear).GlobalMaxPooling1d().Build());
  DatasetShape shape;
  shape.rows = 1;
  shape.input_width = 1 << 20;
  auto data = std::make_shared<Dataset>(shape);
  const std::vector<float> zeros(1 << 20);
  data->AppendInputs(zeros.data(), 1 << 20);
  const std::vector<float> before = ParametersOf(*model);
  EXPECT_THROWS(Predict(*model, {data, 0, 1, 1}, NoListener()), Error);
  EXPECT(ParametersOf(*model) == before);
  shape.rows = int64_t{1} << 30;
  EXPECT_THROWS(Dataset{shape}, Error);
}

TEST("a step of a tiny model costs little beside its operations") {
  auto model = MakeModel(SpecBuilder::Floats({2}).Dense(2, 2, Activation::kSoftmax).Build());
  model->Compile(TrainingOf(kSparse));
  const auto data = Points(2000);
  double best = 1e9;
  for (uint32_t trial = 0; trial < 5; ++trial) {
    const auto start = std::chrono::steady_clock::now();
    Train(*model, Epoch(data, 2000, 1, trial), NoListener());
    best = std::min(best, std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count());
  }
  std::printf("    %.2f us a step\n", best / 2000);
  EXPECT(best / 2000 < 200);  // far above what is measured, so that sanitizers and busy machines pass
}

}  // namespace
}  // namespace slim::test
