// Data that the device has no room for: what is fed to it, and networks that train on it.

#include <cstring>

#include "caught.h"
#include "cuda/device_session.h"
#include "devices.h"
#include "program/jobs.h"
#include "small_models.h"
#include "test.h"

namespace slim::test {
namespace {

constexpr size_t kAmple = size_t{1} << 27;

// --- the limit -------------------------------------------------------------------------------------------------------

TEST("memory beyond what the process may take is an error with sizes, and models share what there is") {
  size_t taken = 0;
  {
    const MemoryLimit ample(kAmple);
    Bench bench(OpenCudaDevice(0));
    taken = kAmple - bench->FreeBytes();
    EXPECT(taken > 0);
  }
  const MemoryLimit limit(taken + 5000);
  Bench bench(OpenCudaDevice(0));
  EXPECT_EQ(bench->FreeBytes(), size_t{5000});
  void* memory = bench->Allocate(4000);
  EXPECT_EQ(bench->FreeBytes(), size_t{1000});
  const std::string error = ErrorOf([&] { bench->Allocate(3000000); }).text;
  EXPECT_TELLS(error, "ERR_OUT_OF_MEMORY: Could not get 3 MB (3000000 bytes) of GPU memory: SLIM_LSTM_DEVICE_MEMORY");
  EXPECT_TELLS(error, "lets this process have");
  bench->Free(memory);
  EXPECT_EQ(bench->FreeBytes(), size_t{5000});
}

TEST("a limit that is no number of bytes is refused") {
  OpenCudaDevice(0);
  for (const char* value : {"0", "-1", "12 GB", "8G", "lots", "99999999999999999999999"}) {
    const MemoryLimit limit{std::string(value)};
    EXPECT_TELLS(
        ErrorOf([] { cuda::DeviceSession session(0, Precision::kFloat32); }).text,
        "ERR_INVALID_ARGUMENT: Expected a positive integer, a number of bytes, for SLIM_LSTM_DEVICE_MEMORY but "
        "received " +
            std::string(value));
  }
  const MemoryLimit none("");
  Bench bench(OpenCudaDevice(0));
  bench->Free(bench->Allocate(4));
}

TEST("an open device keeps to the limit that it was opened with") {
  Bench bench(OpenCudaDevice(0));
  const size_t before = bench->FreeBytes();
  const MemoryLimit later(size_t{1});
  EXPECT_EQ(bench->FreeBytes(), before);
  bench->Free(bench->Allocate(4));
}

// --- the feed --------------------------------------------------------------------------------------------------------

TEST("what is sent while the device works arrives whole and in the order in which it was sent") {
  constexpr int64_t kParcels = 12, kFloats = 300;
  for (int run = 0; run < 4 * CudaRuns(); ++run) {
    Bench bench(OpenCudaDevice(run));
    const auto feed = bench->OpenFeed(kFloats * sizeof(float));
    float* all = bench.Space(kParcels * kFloats);
    float* current = bench.Space(kFloats);
    FloatArray expected;
    const auto send = [&](uint32_t seed) {
      const FloatArray parcel = RandomFloats(kFloats, seed);
      std::memcpy(feed->Next(), parcel.data(), parcel.size() * sizeof(float));
      feed->Send(parcel.size() * sizeof(float));
      expected.insert(expected.end(), parcel.begin(), parcel.end());
    };
    send(0);
    for (uint32_t i = 0; i < kParcels; ++i) {
      feed->Receive(current, 0, kFloats * sizeof(float));
      bench->ActivationForward(Activation::kLinear, 1, kFloats, current, all + i * kFloats);
      if (i + 1 < kParcels) send(i + 1);
    }
    EXPECT(bench.Get(all, kParcels * kFloats) == expected);
  }
}

TEST("parts of what was sent are received, and what was sent last takes the place of what nobody received") {
  ExpectSameAsCpu([](Bench& bench) {
    const auto feed = bench->OpenFeed(100 * sizeof(float));
    for (const uint32_t seed : {1u, 2u, 3u}) {
      const FloatArray parcel = RandomFloats(100, seed);
      std::memcpy(feed->Next(), parcel.data(), parcel.size() * sizeof(float));
      feed->Send(80 * sizeof(float));
    }
    float* end = bench.Space(30);
    float* begin = bench.Space(50);
    feed->Receive(end, 50 * sizeof(float), 30 * sizeof(float));
    feed->Receive(begin, 0, 50 * sizeof(float));
    return Outputs{{"begin", bench.Get(begin, 50)}, {"end", bench.Get(end, 30)}};
  });
}

// --- networks --------------------------------------------------------------------------------------------------------

constexpr Loss kSparse = Loss::kSparseCategoricalCrossentropy;
constexpr int64_t kSteps = 7, kRows = 500, kTrained = 29, kBatch = 8;
constexpr size_t kDataBytes = kRows * (kSteps + 1) * 4;

ModelSpec Network() {
  return SpecBuilder::Tokens(kSteps)
      .Embedding(15, 3)
      .Dropout(0.1f)
      .Lstm(3, LstmOf(4, MixedCell()))
      .Dense(4, 3, Activation::kSoftmax)
      .Build();
}

struct Results {
  bool streamed;
  std::vector<FloatArray> values;
  size_t taken;       // of the device's memory, in the end
  size_t data_taken;  // of that, as the model tells it
};

FloatArray Copied(const HostArray<float>& values) { return {values.data(), values.data() + values.size()}; }

Results Trained(int run, size_t memory) {
  const MemoryLimit limit(memory);
  Model model(Network(), OpenCudaDevice(run), 1);
  model.Compile(TrainingOf(kSparse, OptimizerKind::kAdam));
  const auto data = RandomData(model.program(), kSparse, kRows, 3);
  TrainJob job;
  job.rows = {data, 0, kTrained, kBatch};
  job.learning_rate = 0.01f;
  Results results;
  for (job.epoch = 0; job.epoch < 2; ++job.epoch) results.streamed = Train(model, job, NoListener()).streamed;
  const RunMetrics seen = Evaluate(model, {data, kTrained, kTrained + 9, 4}, NoListener());
  const Prediction prediction = Predict(model, {data, 5, 30, kBatch}, NoListener());
  const Gradients gradients = ComputeGradients(model, {{data, 3, 20, kBatch}, true, false}, NoListener());
  EXPECT_EQ(seen.streamed, results.streamed);
  EXPECT_EQ(prediction.streamed, results.streamed);
  EXPECT_EQ(gradients.streamed, results.streamed);
  results.values = {ParametersOf(model),
                    {static_cast<float>(seen.loss), static_cast<float>(seen.accuracy)},
                    Copied(prediction.outputs),
                    Copied(gradients.parameters)};
  results.taken = memory - model.backend().FreeBytes();
  results.data_taken = model.Memory().data;
  return results;
}

TEST("a data set that does not fit is streamed, to the bits of one that does") {
  const Results resident = Trained(0, kAmple);
  EXPECT(!resident.streamed);
  EXPECT(resident.data_taken >= kDataBytes);
  for (int run = 0; run < CudaRuns(); ++run) {
    const Results streamed = Trained(run, resident.taken - kDataBytes / 2);
    EXPECT(streamed.streamed);
    EXPECT(streamed.values == resident.values);
    EXPECT(streamed.taken < resident.taken - kDataBytes / 2);
    EXPECT(streamed.data_taken > 0 && streamed.data_taken + kDataBytes / 2 < resident.data_taken);
  }
}

}  // namespace
}  // namespace slim::test
