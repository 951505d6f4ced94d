// An engine's thread: work is done on it alone and in order, runs end when it is told to, and it always joins.

#include "addon/engine.h"

#include <chrono>
#include <stdexcept>
#include <thread>

#include "cpu/cpu_backend.h"
#include "deferred_backend.h"
#include "errors.h"
#include "program/jobs.h"
#include "small_models.h"
#include "test.h"

namespace slim::test {
namespace {

using addon::Engine;
using addon::EngineRegistry;

constexpr Loss kSparse = Loss::kSparseCategoricalCrossentropy;

std::unique_ptr<Model> Make() {
  auto model =
      MakeModel(SpecBuilder::Floats({4}).Dense(4, 64, Activation::kTanh).Dense(64, 3, Activation::kSoftmax).Build(), 2);
  model->Compile(TrainingOf(kSparse, OptimizerKind::kAdam));
  return model;
}

/// A run without end, but for the engine's flag; `result` is set when it ends.
void TrainForever(Engine& engine, const std::shared_ptr<const Dataset>& data, std::atomic<int64_t>& steps,
                  std::atomic<bool>& ended) {
  engine.Begin();
  engine.Post([&engine, &steps, &ended, data] {
    const RunListener listener{&engine.abort_flag(), {}};
    TrainJob job;
    job.rows = {data, 0, 100, 1};
    engine.Use([&](Model& model) {
      for (bool aborted = false; !aborted; ++job.epoch) {
        const RunMetrics metrics = Train(model, job, listener);
        steps += metrics.steps;
        aborted = metrics.aborted;
      }
    });
    ended = true;
  });
}

std::shared_ptr<Dataset> Data() { return RandomData(Make()->program(), kSparse, 100, 2); }

TEST("work runs on one thread that is not the caller's, in the order of the calls, and its results are there") {
  auto registry = std::make_shared<EngineRegistry>();
  std::thread::id made_on;
  Engine engine(registry, [&] {
    made_on = std::this_thread::get_id();
    return Make();
  });
  EXPECT(made_on != std::this_thread::get_id());
  std::vector<int> order;
  for (int i = 0; i < 100; ++i) engine.Post([&order, i] { order.push_back(i); });
  std::thread::id called_on;
  engine.Call([&](Model& model) {
    called_on = std::this_thread::get_id();
    EXPECT_EQ(model.program().layout().parameters().size(), 4u);
  });
  EXPECT(called_on == made_on);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST("what the work throws comes to the caller, and a model that cannot be made leaves no thread") {
  auto registry = std::make_shared<EngineRegistry>();
  Engine engine(registry, Make);
  EXPECT_THROWS(engine.Call([](Model&) { throw Error(ErrorCode::kInvalidArgument, "no"); }), Error);
  engine.Call([](Model&) {});
  for (int i = 0; i < 20; ++i) {
    EXPECT_THROWS(Engine(registry, []() -> std::unique_ptr<Model> { throw std::runtime_error("no"); }),
                  std::runtime_error);
  }
  registry->StopAll();
}

TEST("once the device is lost every use is refused with the same words, and the model can be let go of") {
  auto registry = std::make_shared<EngineRegistry>();
  int used = 0;
  {
    Engine engine(registry, Make);
    const auto use = [&](ErrorCode code, const char* text) {
      try {
        engine.Call([&](Model&) {
          ++used;
          throw Error(code, text);
        });
      } catch (const Error& error) {
        return std::string(error.what());
      }
      return std::string();
    };
    EXPECT_EQ(use(ErrorCode::kDevice, "this call alone"), "this call alone");
    EXPECT_EQ(use(ErrorCode::kDeviceLost, "lost in a step"), "lost in a step");
    EXPECT_EQ(use(ErrorCode::kDeviceLost, "lost later"), "lost in a step");
    EXPECT_EQ(use(ErrorCode::kOutOfMemory, "something else"), "lost in a step");
    EXPECT_EQ(used, 2);
    engine.Dispose();
  }
  Engine other(registry, Make);
  other.Call([](Model&) {});
}

TEST("a data set that is gone leaves the device when the engine is told, and a lost device does not mind") {
  auto registry = std::make_shared<EngineRegistry>();
  DeferredBackend* device = nullptr;
  Engine engine(registry, [&] {
    auto backend = std::make_unique<DeferredBackend>(MakeCpuBackend(1));
    device = backend.get();
    auto model = std::make_unique<Model>(SpecBuilder::Floats({4}).Dense(4, 3, Activation::kSoftmax).Build(),
                                         std::move(backend), 1);
    model->Compile(TrainingOf(kSparse));
    return model;
  });
  const auto train = [&](const std::shared_ptr<Dataset>& data) {
    engine.Call([&](Model& model) {
      TrainJob job;
      job.rows = {data, 0, 100, 10};
      Train(model, job, NoListener());
    });
  };
  const auto allocated = [&] {
    size_t bytes = 0;
    engine.Call([&](Model&) { bytes = device->allocated(); });
    return bytes;
  };
  auto data = Data();
  train(data);
  const size_t with_data = allocated();
  registry->ReleaseUnusedData();
  EXPECT_EQ(allocated(), with_data);
  data.reset();
  registry->ReleaseUnusedData();
  EXPECT_EQ(with_data - allocated(), size_t{100 * (4 + 1) * 4});

  data = Data();
  train(data);
  device->Lose(1);
  EXPECT_THROWS(train(data), Error);
  data.reset();
  registry->ReleaseUnusedData();
  EXPECT_THROWS(allocated(), Error);
}

TEST("abort ends a run, and the engine works on") {
  auto registry = std::make_shared<EngineRegistry>();
  Engine engine(registry, Make);
  for (int i = 0; i < 5; ++i) {
    std::atomic<int64_t> steps{0};
    std::atomic<bool> ended{false};
    TrainForever(engine, Data(), steps, ended);
    EXPECT(engine.busy());
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    engine.Abort();
    int64_t iterations = 0;
    engine.Call([&](Model& model) { iterations = model.iterations(); });
    EXPECT(ended);
    EXPECT(iterations >= steps);
    engine.End();
  }
}

TEST("dispose does not wait for the run it ends, and frees the model after it") {
  auto registry = std::make_shared<EngineRegistry>();
  std::atomic<int64_t> steps{0};
  std::atomic<bool> ended{false};
  {
    Engine engine(registry, Make);
    TrainForever(engine, Data(), steps, ended);
    engine.Dispose();
    EXPECT(engine.disposed());
    engine.Dispose();
  }
  EXPECT(ended);
}

TEST("an environment that goes ends all its engines, running or not, and they may be destroyed later") {
  auto registry = std::make_shared<EngineRegistry>();
  std::vector<std::unique_ptr<Engine>> engines;
  engines.reserve(6);
  std::atomic<int64_t> steps{0};
  std::atomic<bool> ended[3] = {};
  for (int i = 0; i < 6; ++i) engines.push_back(std::make_unique<Engine>(registry, Make));
  for (size_t i = 0; i < 3; ++i) TrainForever(*engines[i], Data(), steps, ended[i]);
  registry->StopAll();
  for (const auto& each : ended) EXPECT(each);
  engines.clear();
}

}  // namespace
}  // namespace slim::test
