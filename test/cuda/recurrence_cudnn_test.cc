// Layers that cuDNN computes: what the device brings into its order and back, and what it refuses. On the emulation the
// layer itself is the CPU's.

#include <cstdio>
#include <functional>

#include "caught.h"
#include "cpu/cpu_backend.h"
#include "program/jobs.h"
#include "recurrence_on_cuda.h"
#include "small_models.h"
#include "test.h"

#if defined(SLIM_CUDA_EMULATED)
#include "emulated_cudnn.h"
#endif

namespace slim::test {
namespace {

constexpr Loss kSparse = Loss::kSparseCategoricalCrossentropy;

RecurrenceShape Shape(const Cell& cell = Family()[0].cell) {
  RecurrenceShape shape = MakeShape(cell, 5, 4, 6);
  shape.implementation = Implementation::kCudnn;
  return shape;
}

std::string Refusal(Bench& bench, const RecurrenceShape& shape, bool masked = false) {
  return ErrorOf([&] { bench->CheckRecurrence(shape, masked); }).text;
}

// A machine with a GPU may do without cuDNN.
bool HasCudnn() {
  Bench bench(OpenCudaDevice(0));
  const std::string refusal = Refusal(bench, Shape());
  if (!refusal.empty()) std::printf("skipped: %s\n", refusal.c_str());
  return refusal.empty();
}

void ExpectRight(Bench& bench, const Problem& problem, const std::string& what) {
  const ProblemData data = MakeData(problem);
  for (const NamedError& error : Errors(SolveOnDevice(bench, problem, data), SolvePlainly(problem, data))) {
    if (!(error.error <= 1e-5)) {
      Fail(__FILE__, __LINE__, what + ": " + error.array + " is off by " + Show(error.error));
    }
  }
}

// For each of the CUDA device's runs; cuDNN takes its time to start, so several problems share a device.
void OnEachRun(const std::function<void(Bench&)>& test) {
  for (int run = 0; run < CudaRuns(); ++run) {
    Bench bench(OpenCudaDevice(run));
    test(bench);
  }
}

TEST("cuDNN's layer has the states and gradients of the plain path, however its rows lie") {
  if (!HasCudnn()) return;
  constexpr int kChoices = 64, kTogether = 8;
  for (int first = 0; first < kChoices; first += kTogether) {
    OnEachRun([first](Bench& bench) {
      for (int choice = first; choice < first + kTogether; ++choice) {
        const auto chosen = [&](int bit) { return (choice >> bit & 1) != 0; };
        Problem problem;
        problem.shape = Shape(chosen(0) ? Family()[0].cell : SameGates("WU", "WU"));
        problem.shape.return_sequences = chosen(1);
        problem.shape.reverse = chosen(2);
        problem.shape.align_output = chosen(3);
        problem.embedded = chosen(4);
        problem.accumulate = chosen(5);
        problem.batch = 3;
        problem.stream = static_cast<uint32_t>(choice);
        ExpectRight(bench, problem, "choice " + Show(choice));
        problem.training = false;
        if (!problem.accumulate) ExpectRight(bench, problem, "inference, choice " + Show(choice));
      }
    });
  }
}

TEST("cuDNN's layer has the states and gradients of the plain path at the sizes of its several kernels") {
  if (!HasCudnn()) return;
  OnEachRun([](Bench& bench) {
    for (const int64_t units : {1, 33, 130, 200}) {
      Problem problem;
      problem.shape = Shape();
      problem.shape.units = units;
      problem.shape.return_sequences = true;
      problem.batch = 2;
      ExpectRight(bench, problem, Show(units) + " units");
    }
  });
}

// Random tokens, a pair of directions and a layer on top of them.
ModelSpec Network(Implementation implementation) {
  LstmSpec pair = LstmOf(6, StandardCell(), true), last = LstmOf(4, StandardCell());
  pair.implementation = last.implementation = implementation;
  last.go_backwards = true;
  return SpecBuilder::Tokens(7)
      .Embedding(15, 5)
      .Bidirectional(5, pair, Merge::kConcat)
      .Lstm(12, last)
      .Dense(4, 3, Activation::kSoftmax)
      .Build();
}

FloatArray Trained(const ModelSpec& spec, std::unique_ptr<Backend> backend) {
  Model model(spec, std::move(backend), 1);
  model.Compile(TrainingOf(kSparse, OptimizerKind::kAdam));
  TrainJob job;
  job.rows = {RandomData(model.program(), kSparse, 14, 3), 0, 14, 8};
  job.learning_rate = 0.01f;
  for (uint32_t epoch = 0; epoch < 3; ++epoch) {
    job.epoch = epoch;
    Train(model, job, NoListener());
  }
  return ParametersOf(model);
}

TEST("networks of cuDNN's layers are trained to the CPU's weights, steps being recorded, the last batch smaller") {
  if (!HasCudnn()) return;
  const FloatArray expected = Trained(Network(Implementation::kAuto), MakeCpuBackend(1));
  for (int run = 0; run < CudaRuns(); ++run) {
    const FloatArray weights = Trained(Network(Implementation::kCudnn), OpenCudaDevice(run));
    EXPECT_NEAR(RelativeError(weights, expected), 0, 1e-4);
  }
}

TEST("a layer that cuDNN does not have is refused with the reason") {
  Bench bench(OpenCudaDevice(0));
  const auto expect = [&](const RecurrenceShape& shape, bool masked, const std::string& reason) {
    EXPECT_EQ(Refusal(bench, shape, masked),
              "ERR_INVALID_MODEL: The implementation 'cudnn' cannot compute the layer: " + reason +
                  "; choose 'auto' or 'slim'");
  };
  expect(Shape(Family()[1].cell), false, "cuDNN knows the standard LSTM alone, whose four blocks have all terms");
  expect(Shape(), true, "cuDNN's LSTM takes no mask: it wants the lengths of the sequences before a step is recorded");
  RecurrenceShape shape = Shape();
  shape.cell.activation = Activation::kRelu;
  expect(shape, false, "cuDNN's LSTM has the activations tanh and sigmoid alone");
  shape = Shape();
  shape.input_dropout = 0.1f;
  expect(shape, false, "cuDNN's LSTM has no dropout within the layer");
  shape = Shape();
  shape.units = int64_t{1} << 31;
  expect(shape, false, "cuDNN's sizes are 32 bits wide");
}

TEST("a batch whose elements cuDNN cannot count is refused before any pass") {
  if (!HasCudnn()) return;
  Bench bench(OpenCudaDevice(0));
  const RecurrenceShape shape = Shape();
  bench->CheckRecurrence(shape, false);
  const int64_t most = ((int64_t{1} << 31) - 1) / (shape.steps * shape.units);
  const std::string refusal = "ERR_INVALID_ARGUMENT: Expected a batch of at most " + std::to_string(most) +
                              " sequences of 5 steps for the implementation 'cudnn', whose sizes are 32 bits wide, but "
                              "received " +
                              std::to_string(most + 1) + "; choose a smaller batch, or the implementation 'auto'";
  EXPECT_EQ(ErrorOf([&] { bench->RecurrenceCacheBytes(shape, most + 1, false); }).text, refusal);
  for (const bool training : {false, true}) {
    EXPECT_EQ(ErrorOf([&] { bench->RecurrenceScratchBytes(shape, most + 1, false, training); }).text, refusal);
  }
}

TEST("other implementations serve every layer") {
  Bench bench(OpenCudaDevice(0));
  for (const Implementation implementation : {Implementation::kAuto, Implementation::kSlim}) {
    Problem problem;
    problem.shape = Shape(Family()[1].cell);
    problem.shape.implementation = implementation;
    problem.masked = true;
    problem.batch = 2;
    ExpectRight(bench, problem, "another implementation");
  }
}

#if defined(SLIM_CUDA_EMULATED)

TEST("without cuDNN a layer that asks for it is refused, and others are not") {
  const WithoutCudnn without;
  Bench bench(OpenCudaDevice(0));
  EXPECT_EQ(Refusal(bench, Shape()), "ERR_DEVICE: The implementation 'cudnn' cannot be used: cuDNN was not found");
  RecurrenceShape shape = Shape();
  shape.implementation = Implementation::kAuto;
  EXPECT_EQ(Refusal(bench, shape), "");
}

TEST("a last batch for which cuDNN needs more memory than for the others is computed by the device's own kernels") {
  const FloatArray expected = Trained(Network(Implementation::kAuto), MakeCpuBackend(1));
  const GreedyCudnn greedy(6);
  for (int run = 0; run < CudaRuns(); ++run) {
    const FloatArray weights = Trained(Network(Implementation::kCudnn), OpenCudaDevice(run));
    EXPECT_NEAR(RelativeError(weights, expected), 0, 1e-4);
  }
}

#endif

}  // namespace
}  // namespace slim::test
