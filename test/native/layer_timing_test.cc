// The timing of layers: how many times it gives, what it asks of a device, and what it refuses.

#include "program/layer_timing.h"

#include <algorithm>

#include "cpu/cpu_backend.h"
#include "deferred_backend.h"
#include "errors.h"
#include "small_models.h"
#include "test.h"

namespace slim::test {
namespace {

TimingJob JobOf(std::vector<ModelSpec> models) {
  TimingJob job;
  job.models = std::move(models);
  job.batch = 3;
  job.warmups = 1;
  job.rounds = 4;
  return job;
}

ModelSpec OverNumbers(const Cell& cell) { return SpecBuilder::Floats({7, 5}).Lstm(5, LstmOf(6, cell)).Build(); }

ModelSpec OverTokens(const Cell& cell) {
  LstmSpec lstm = LstmOf(6, cell, true);
  lstm.input_dropout = 0.2f;
  lstm.recurrent_dropout = 0.3f;
  return SpecBuilder::Tokens(7).Embedding(11, 5, true).Bidirectional(5, lstm, Merge::kConcat).Build();
}

std::shared_ptr<Dataset> Ids(int64_t rows) {
  DatasetShape shape;
  shape.rows = rows;
  shape.input_width = 7;
  shape.vocabulary = 11;
  auto data = std::make_shared<Dataset>(shape);
  std::vector<int32_t> ids(static_cast<size_t>(rows * 7));
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i * 5 % 11);
  EXPECT_EQ(data->AppendInputs(ids.data(), static_cast<int64_t>(ids.size())), -1);
  return data;
}

bool AreTimes(const std::vector<double>& times, size_t count) {
  return times.size() == count && std::all_of(times.begin(), times.end(), [](double time) { return time >= 0; });
}

TEST("every model has a time of each pass for each round, and a training takes what a forward pass does and more") {
  const auto backend = MakeCpuBackend(1);
  TimingJob job = JobOf({SpecBuilder::Floats({50, 16}).Lstm(16, LstmOf(64, StandardCell())).Build()});
  job.input_gradient = true;
  const Timings timings = TimeLayers(*backend, job, NoListener());
  EXPECT_EQ(timings.device, backend->Description());
  EXPECT(!timings.aborted);
  REQUIRE(timings.models.size() == 1);
  EXPECT(AreTimes(timings.models[0].forward, 4));
  EXPECT(AreTimes(timings.models[0].training, 4));
  const auto least = [](const std::vector<double>& times) { return *std::min_element(times.begin(), times.end()); };
  EXPECT(least(timings.models[0].training) > least(timings.models[0].forward));
}

TEST("a device of its own memory, which works later and replays what it recorded, is timed too and left empty") {
  for (const bool tokens : {false, true}) {
    DeferredBackend device(MakeCpuBackend(1));
    TimingJob job = tokens ? JobOf({OverTokens(StandardCell()), OverTokens(MixedCell())})
                           : JobOf({OverNumbers(StandardCell()), OverNumbers(MixedCell())});
    if (tokens) job.data = Ids(10);
    const Timings timings = TimeLayers(device, job, NoListener());
    for (const TurnTimes& times : timings.models) {
      EXPECT(AreTimes(times.forward, 4));
      EXPECT(AreTimes(times.training, 4));
    }
    // Of every model and each of three batches both passes are recorded and replayed once before those that count: 5
    // rounds of a turn with three passes are replays for both models.
    EXPECT_EQ(device.replays(), 2 * (3 * 2 + 5 * 3));
    EXPECT_EQ(device.blocks(), 0u);
  }
}

TEST("an abort ends it within one pass, with the times that are whole") {
  const auto backend = MakeCpuBackend(1);
  TimingJob job = JobOf({OverNumbers(StandardCell()), OverNumbers(MixedCell())});
  job.rounds = int64_t{1} << 50;
  std::atomic<bool> abort{false};
  int64_t turns = 0;
  const RunListener listener{&abort, [&](const RunMetrics& metrics) {
                               turns = metrics.steps;
                               abort = true;
                             }};
  const Timings timings = TimeLayers(*backend, job, listener);
  EXPECT(timings.aborted);
  EXPECT(turns > 2);
  size_t times = 0;
  for (const TurnTimes& model : timings.models) {
    EXPECT_EQ(model.forward.size(), model.training.size());
    times += model.training.size();
  }
  EXPECT_EQ(times, static_cast<size_t>(turns) - 2);
}

TEST("models of different shapes, missing or foreign token ids, and batches that cannot be counted are refused") {
  const auto backend = MakeCpuBackend(1);
  const auto time = [&](const TimingJob& job) { return TimeLayers(*backend, job, NoListener()); };
  EXPECT_THROWS(time(JobOf({})), Error);
  const ModelSpec wider = SpecBuilder::Floats({7, 5}).Lstm(5, LstmOf(8, StandardCell())).Build();
  EXPECT_THROWS(time(JobOf({OverNumbers(StandardCell()), wider})), Error);
  EXPECT_THROWS(time(JobOf({OverTokens(StandardCell())})), Error);
  TimingJob job = JobOf({OverNumbers(StandardCell())});
  job.data = Ids(10);
  EXPECT_THROWS(time(job), Error);
  job = JobOf({OverTokens(StandardCell())});
  job.data = Ids(2);
  EXPECT_THROWS(time(job), Error);
  job.data = Ids(10);
  job.input_gradient = true;
  EXPECT_THROWS(time(job), Error);
  job = JobOf({OverNumbers(StandardCell())});
  job.batch = int64_t{1} << 52;
  EXPECT_THROWS(time(job), Error);
}

}  // namespace
}  // namespace slim::test
