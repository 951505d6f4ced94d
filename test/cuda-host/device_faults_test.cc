// Models on a CUDA device that fails in the middle of their work, or that several use at once.

#include <cstdlib>
#include <string>
#include <thread>

#include "caught.h"
#include "cpu/cpu_backend.h"
#include "cuda/cuda_backend.h"
#include "devices.h"
#include "emulation/emulator.h"
#include "emulation/runtime_api.h"
#include "errors.h"
#include "program/host_memory.h"
#include "program/jobs.h"
#include "small_models.h"
#include "test.h"

namespace slim::test {
namespace {

constexpr Loss kSparse = Loss::kSparseCategoricalCrossentropy;
constexpr int64_t kSteps = 5, kRows = 30, kBatch = 8;

ModelSpec Network() {
  return SpecBuilder::Tokens(kSteps)
      .Embedding(9, 3)
      .Lstm(3, LstmOf(4, MixedCell()))
      .Dense(4, 3, Activation::kSoftmax)
      .Build();
}

std::unique_ptr<Model> OnCuda(uint64_t seed = 1) {
  auto model = std::make_unique<Model>(Network(), cuda::MakeCudaBackend(0, Precision::kFloat32), seed);
  model->Compile(TrainingOf(kSparse, OptimizerKind::kAdam));
  return model;
}

std::shared_ptr<Dataset> Data(const Model& model) { return RandomData(model.program(), kSparse, kRows, 3); }

TrainJob Epoch(std::shared_ptr<const Dataset> data, uint32_t epoch = 0, int64_t batch = kBatch) {
  TrainJob job;
  job.rows = {std::move(data), 0, kRows, batch};
  job.epoch = epoch;
  job.learning_rate = 0.01f;
  return job;
}

// Two epochs' weights on a device that nothing happens to.
std::vector<float> Undisturbed(uint64_t seed = 1) {
  auto model = OnCuda(seed);
  const auto data = Data(*model);
  for (uint32_t epoch = 0; epoch < 2; ++epoch) Train(*model, Epoch(data, epoch), NoListener());
  return ParametersOf(*model);
}

// --- lost ------------------------------------------------------------------------------------------------------------

TEST("a device that is lost in training is an error that says what to do, and all memory is given back") {
  struct Loss {
    cudaError_t error;
    const char* words;
  };
  constexpr Loss kLosses[] = {{cudaErrorIllegalAddress, "an illegal memory access was encountered"},
                              {cudaErrorLaunchFailure, "unspecified launch failure"}};
  for (int64_t launch = 1; launch < 400; launch += 57) {
    const Loss& loss = kLosses[launch % 2];
    emulated::Restart({}, static_cast<uint64_t>(launch));
    {
      auto model = OnCuda();
      const auto data = Data(*model);
      emulated::LoseDevice(launch, loss.error);
      const Caught lost = ErrorOf([&] {
        for (uint32_t epoch = 0; epoch < 20; ++epoch) Train(*model, Epoch(data, epoch), NoListener());
      });
      EXPECT(lost.code == ErrorCode::kDeviceLost);
      EXPECT_TELLS(lost.text, loss.words);
      EXPECT_TELLS(lost.text,
                   "this process can no longer use the device: start it anew, go on from what was saved last");
      // Whatever is tried now ends alike.
      const auto expect_lost = [&](const auto& action) {
        const Caught again = ErrorOf(action);
        EXPECT(again.code == ErrorCode::kDeviceLost);
        EXPECT_TELLS(again.text, loss.words);
      };
      expect_lost([&] { Train(*model, Epoch(data), NoListener()); });
      expect_lost([&] { Predict(*model, {data, 0, kRows, 3}, NoListener()); });
      expect_lost([&] { model->Compile(TrainingOf(kSparse)); });
      expect_lost([&] { ParametersOf(*model); });
      expect_lost([] { OnCuda(); });
    }
    EXPECT_EQ(emulated::Counted().allocated, size_t{0});
    // Fits where nothing at all is claimed.
    const HostReservation all(HostMemoryBytes(), "all memory of the host");
  }
  emulated::Restart();
  Model elsewhere(Network(), MakeCpuBackend(1), 1);
  elsewhere.Compile(TrainingOf(kSparse));
  EXPECT(Train(elsewhere, Epoch(Data(elsewhere)), NoListener()).loss > 0);
}

TEST("a device that is lost while data is streamed to it is the same error") {
  emulated::Restart();
  size_t taken = 0;
  {
    auto model = OnCuda();
    Train(*model, Epoch(Data(*model)), NoListener());
    taken = emulated::Counted().allocated;
  }
  {
    // Enough for a batch, but not for all.
    const MemoryLimit limit(taken + 9000);
    auto model = OnCuda();
    const auto large = RandomData(model->program(), kSparse, 1000, 4);
    EXPECT(Train(*model, Epoch(large), NoListener()).streamed);
    emulated::LoseDevice(40);
    const Caught lost = ErrorOf([&] {
      for (uint32_t epoch = 0; epoch < 20; ++epoch) Train(*model, Epoch(large, epoch), NoListener());
    });
    EXPECT(lost.code == ErrorCode::kDeviceLost);
  }
  EXPECT_EQ(emulated::Counted().allocated, size_t{0});
  const HostReservation all(HostMemoryBytes(), "all memory of the host");
  emulated::Restart();
}

// --- out of memory ---------------------------------------------------------------------------------------------------

TEST("whichever allocation of a run fails, the model goes on afterwards as if nothing had been") {
  emulated::Restart();
  const std::vector<float> expected = Undisturbed();
  int failed = 0;
  for (int64_t count = 1; count <= 8; ++count) {
    emulated::Restart();
    auto model = OnCuda();
    const auto data = Data(*model);
    emulated::FailAllocations(count);
    const Caught error = ErrorOf([&] { Train(*model, Epoch(data), NoListener()); });
    emulated::FailAllocations(0);
    if (!error.code) {
      Train(*model, Epoch(data, 1), NoListener());
    } else {
      ++failed;
      EXPECT(error.code == ErrorCode::kOutOfMemory);
      EXPECT_TELLS(error.text, "bytes) of GPU memory");
      for (uint32_t epoch = 0; epoch < 2; ++epoch) Train(*model, Epoch(data, epoch), NoListener());
    }
    EXPECT(ParametersOf(*model) == expected);
  }
  EXPECT(failed >= 2);
  emulated::Restart();
}

TEST("a batch that does not fit is an error with sizes each time, takes nothing, and a smaller one trains") {
  emulated::Card card;
  card.memory = size_t{3} << 20;
  emulated::Restart(card);
  {
    auto model = OnCuda();
    const auto data = RandomData(model->program(), kSparse, 20000, 3);
    size_t held = 0;
    for (int attempt = 0; attempt < 3; ++attempt) {
      TrainJob job = Epoch(data);
      job.rows.end = job.rows.batch_size = 20000;
      const Caught error = ErrorOf([&] { Train(*model, job, NoListener()); });
      EXPECT(error.code == ErrorCode::kOutOfMemory);
      EXPECT_TELLS(error.text, "Could not get ");
      EXPECT_TELLS(error.text, "of 3 MB are free");
      if (attempt == 0) held = emulated::Counted().allocated;
      EXPECT_EQ(emulated::Counted().allocated, held);
    }
    const auto few = Data(*model);
    for (uint32_t epoch = 0; epoch < 2; ++epoch) Train(*model, Epoch(few, epoch), NoListener());
    const std::vector<float> weights = ParametersOf(*model);
    EXPECT(weights == Undisturbed());
  }
  emulated::Restart();
}

// --- several ---------------------------------------------------------------------------------------------------------

TEST("models train on one device from threads of their own, each as if it were alone") {
  for (uint64_t order = 0; order < 2; ++order) {
    emulated::Restart({}, order);
    constexpr uint64_t kModels = 3;
    std::vector<float> alone[kModels], together[kModels];
    for (uint64_t i = 0; i < kModels; ++i) alone[i] = Undisturbed(i);
    std::vector<std::thread> threads;
    for (uint64_t i = 0; i < kModels; ++i) threads.emplace_back([&, i] { together[i] = Undisturbed(i); });
    for (std::thread& thread : threads) thread.join();
    for (uint64_t i = 0; i < kModels; ++i) EXPECT(together[i] == alone[i]);
  }
  emulated::Restart();
}

}  // namespace
}  // namespace slim::test
