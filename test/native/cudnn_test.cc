// What the CUDA device asks of cuDNN is the standard recurrence: cuDNN is stood in for by its documentation in plain
// loops (test/fake-cuda/fake_cudnn.cc), device memory by the host's, and the CPU device is the oracle. Compiled where
// the headers of cuDNN and cuBLASLt are.

#if defined(SLIM_LSTM_FAKE_CUDNN_LIBRARY) && defined(SLIM_LSTM_FAKE_CUBLASLT_LIBRARY)

#include "cuda/cudnn.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "arrays.h"
#include "caught.h"
#include "cpu/cpu_backend.h"
#include "cuda/cudnn_weights.h"
#include "cuda_runtime_on_host.h"
#include "errors.h"
#include "small_models.h"
#include "test.h"

// The host's stand-in for the kernel that the file under test calls.
namespace slim::cuda {

void CopyTransposed(const float* source, int64_t source_stride, int64_t rows, int64_t columns, float* destination,
                    int64_t destination_stride, CUstream_st*) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t column = 0; column < columns; ++column) {
      destination[column * destination_stride + row] = source[row * source_stride + column];
    }
  }
}

}  // namespace slim::cuda

namespace slim::test {
namespace {

using cuda::CudnnLstm;

constexpr int64_t kBatch = 3, kSteps = 5, kInputs = 4, kUnits = 6;

// cuDNN is looked for once in a process, so every test begins with this.
std::unique_ptr<CudnnLstm> Open(Precision precision = Precision::kFloat32) {
  const std::filesystem::path library = SLIM_LSTM_FAKE_CUDNN_LIBRARY, products = SLIM_LSTM_FAKE_CUBLASLT_LIBRARY;
  const std::string folders = library.parent_path().string() + ":" + products.parent_path().string();
  setenv("SLIM_LSTM_CUDA_LIBRARIES", folders.c_str(), 1);
  auto opened = CudnnLstm::Make(precision);
  unsetenv("SLIM_LSTM_CUDA_LIBRARIES");
  return opened;
}

RecurrenceShape Shape(bool return_sequences, bool bias) {
  RecurrenceShape shape{};
  shape.cell = StandardCell();
  for (BlockTerms& block : shape.cell.blocks) block.bias = bias;
  shape.steps = kSteps;
  shape.inputs = kInputs;
  shape.units = kUnits;
  shape.return_sequences = return_sequences;
  return shape;
}

struct Problem {
  Problem(bool return_sequences, bool with_bias)
      : shape(Shape(return_sequences, with_bias)), rows(return_sequences ? kBatch * kSteps : kBatch) {
    doutput = RandomFloats(rows * stride, 5);
  }

  RecurrenceShape shape;
  int64_t rows;
  int64_t stride = kUnits + 2;
  FloatArray x = RandomFloats(kBatch * kSteps * kInputs, 1);
  FloatArray kernel = RandomFloats(kInputs * 4 * kUnits, 2);
  FloatArray recurrent_kernel = RandomFloats(kUnits * 4 * kUnits, 3);
  FloatArray bias = RandomFloats(4 * kUnits, 4);
  FloatArray doutput;

  RecurrenceWeights Weights() const {
    const bool has_bias = shape.cell.BiasBlocks() > 0;
    return {kernel.data(), recurrent_kernel.data(), nullptr, has_bias ? bias.data() : nullptr};
  }
};

struct Results {
  explicit Results(const Problem& problem)
      : h(static_cast<size_t>(problem.rows * problem.stride), 0.0f),
        dkernel(Unwritten(kInputs * 4 * kUnits)),
        drecurrent(Unwritten(kUnits * 4 * kUnits)),
        dbias(Unwritten(4 * kUnits)),
        dx(Unwritten(kBatch * kSteps * kInputs)) {}

  FloatArray h, dkernel, drecurrent, dbias, dx;

  RecurrenceGradients Gradients(bool bias) {
    return {dkernel.data(), drecurrent.data(), nullptr, bias ? dbias.data() : nullptr};
  }
};

Results ByCpu(const Problem& problem) {
  Results results(problem);
  const auto cpu = MakeCpuBackend(1);
  cpu->SetStep({});
  SequenceInput input;
  input.x = problem.x.data();
  Scratch cache(cpu->RecurrenceCacheBytes(problem.shape, kBatch, false));
  Scratch scratch(cpu->RecurrenceScratchBytes(problem.shape, kBatch, false, true));
  cpu->RecurrenceForward(problem.shape, kBatch, input, nullptr, problem.Weights(), {results.h.data(), problem.stride},
                         cache.get(), scratch.get());
  cpu->RecurrenceBackward(
      problem.shape, kBatch, input, nullptr, problem.Weights(), {problem.doutput.data(), problem.stride}, cache.get(),
      results.Gradients(problem.shape.cell.blocks[0].bias), {results.dx.data(), nullptr, false}, scratch.get());
  return results;
}

void RunCudnn(CudnnLstm& cudnn, const Problem& problem, const RecurrenceGradients& wanted, Results& results) {
  Scratch cache(cudnn.CacheBytes(problem.shape, kBatch));
  Scratch scratch(cudnn.ScratchBytes(problem.shape, kBatch, true));
  cudnn.Forward(problem.shape, kBatch, problem.x.data(), problem.Weights(), {results.h.data(), problem.stride},
                cache.get(), scratch.get(), nullptr);
  // Free between two operations.
  std::memset(scratch.get(), 0xff, cudnn.ScratchBytes(problem.shape, kBatch, true));
  cudnn.Backward(problem.shape, kBatch, problem.x.data(), problem.Weights(), {problem.doutput.data(), problem.stride},
                 cache.get(), wanted, results.dx.data(), scratch.get(), nullptr);
}

Results ByCudnn(CudnnLstm& cudnn, const Problem& problem) {
  Results results(problem);
  RunCudnn(cudnn, problem, results.Gradients(problem.shape.cell.blocks[0].bias), results);
  return results;
}

TEST("cuDNN's layer gives the CPU's states and gradients") {
  const auto cudnn = Open();
  REQUIRE(cudnn != nullptr);
  for (const bool return_sequences : {false, true}) {
    for (const bool bias : {false, true}) {
      const Problem problem(return_sequences, bias);
      REQUIRE(cuda::WhyNotCudnn(problem.shape, false).empty());
      const Results expected = ByCpu(problem);
      const Results actual = ByCudnn(*cudnn, problem);
      EXPECT_NEAR(RelativeError(actual.h, expected.h), 0, 1e-5);
      EXPECT_NEAR(RelativeError(actual.dkernel, expected.dkernel), 0, 1e-5);
      EXPECT_NEAR(RelativeError(actual.drecurrent, expected.drecurrent), 0, 1e-5);
      EXPECT_NEAR(RelativeError(actual.dx, expected.dx), 0, 1e-5);
      if (bias) EXPECT_NEAR(RelativeError(actual.dbias, expected.dbias), 0, 1e-5);
    }
  }
}

TEST("a layer that is too wide for the persistent kernels is left to the others") {
  const auto cudnn = Open();
  REQUIRE(cudnn != nullptr);
  RecurrenceShape shape = Shape(true, true);
  shape.units = 40;
  EXPECT(cudnn->CacheBytes(shape, kBatch) > 0);
  EXPECT(cudnn->ScratchBytes(shape, kBatch, false) > 0);
}

TEST("a layer that cuDNN's persistent kernels turn out not to serve is computed by the others") {
  const auto cudnn = Open();
  REQUIRE(cudnn != nullptr);
  Problem problem(false, true);
  problem.shape.steps = 1;
  const Results expected = ByCpu(problem), actual = ByCudnn(*cudnn, problem);
  EXPECT_NEAR(RelativeError(actual.h, expected.h), 0, 1e-5);
  EXPECT_NEAR(RelativeError(actual.dkernel, expected.dkernel), 0, 1e-5);
}

TEST("products are in the device's precision") {
  const Problem problem(true, true);
  const Results expected = ByCpu(problem);
  for (const Precision precision : {Precision::kTf32, Precision::kBfloat16}) {
    const auto cudnn = Open(precision);
    REQUIRE(cudnn != nullptr);
    const double error = RelativeError(ByCudnn(*cudnn, problem).h, expected.h);
    EXPECT(error > 1e-5 && error < 2e-3);
  }
}

TEST("gradients of frozen weights are left out") {
  const auto cudnn = Open();
  REQUIRE(cudnn != nullptr);
  const Problem problem(true, true);
  const Results expected = ByCpu(problem);
  Results results(problem);
  for (const bool kernel_alone : {true, false}) {
    const RecurrenceGradients wanted{kernel_alone ? results.dkernel.data() : nullptr, nullptr, nullptr, nullptr};
    RunCudnn(*cudnn, problem, wanted, results);
    EXPECT_NEAR(RelativeError(results.dx, expected.dx), 0, 1e-5);
    EXPECT_NEAR(RelativeError(results.dkernel, expected.dkernel), 0, 1e-5);
    EXPECT(std::isnan(results.drecurrent[0]) && std::isnan(results.dbias[0]));
    results.dx = Unwritten(kBatch * kSteps * kInputs);
  }
}

TEST("a smaller batch than the largest does with the memory of that one") {
  const auto cudnn = Open();
  REQUIRE(cudnn != nullptr);
  const Problem problem(true, true);
  const Results expected = ByCpu(problem);
  Results results(problem);
  Scratch scratch(cudnn->ScratchBytes(problem.shape, kBatch, false));
  EXPECT(cudnn->Fits(problem.shape, kBatch - 1, false));
  cudnn->Forward(problem.shape, kBatch - 1, problem.x.data(), problem.Weights(), {results.h.data(), problem.stride},
                 nullptr, scratch.get(), nullptr);
  const auto smaller = static_cast<ptrdiff_t>((kBatch - 1) * kSteps * problem.stride);
  EXPECT_NEAR(RelativeError(FloatArray(results.h.begin(), results.h.begin() + smaller),
                            std::vector<double>(expected.h.begin(), expected.h.begin() + smaller)),
              0, 1e-5);
}

TEST("a smaller batch that needs more memory than one that was asked for does not fit") {
  const auto cudnn = Open();
  REQUIRE(cudnn != nullptr);
  constexpr int64_t kGreedy = 1;  // to fake_cudnn.cc
  const RecurrenceShape shape = Shape(true, true);
  for (const bool training : {false, true}) {
    cudnn->ScratchBytes(shape, kBatch, training);
    EXPECT(!cudnn->Fits(shape, kGreedy, training));
    EXPECT(cudnn->Fits(shape, kBatch - 1, training) && cudnn->Fits(shape, kBatch, training));
  }
  // Larger ones, too, may be asked for on behalf of other runs.
  cudnn->ScratchBytes(shape, 100 * kBatch, false);
  EXPECT(!cudnn->Fits(shape, kGreedy, false));
  RecurrenceShape other = shape;
  other.steps = kSteps - 1;
  cudnn->ScratchBytes(other, kGreedy, false);
  EXPECT(cudnn->Fits(other, kGreedy, false));
}

TEST("a batch is so large at the most that its inputs and states are counted in 32 bits") {
  RecurrenceShape shape = Shape(true, true);
  EXPECT_EQ(cuda::LargestCudnnBatch(shape), ((int64_t{1} << 31) - 1) / (kSteps * kUnits));
  shape.inputs = 100;
  EXPECT_EQ(cuda::LargestCudnnBatch(shape), ((int64_t{1} << 31) - 1) / (kSteps * 100));
}

TEST("inference keeps nothing and gives the states of training") {
  const auto cudnn = Open();
  REQUIRE(cudnn != nullptr);
  const Problem problem(true, true);
  Results results(problem);
  Scratch scratch(cudnn->ScratchBytes(problem.shape, kBatch, false));
  cudnn->Forward(problem.shape, kBatch, problem.x.data(), problem.Weights(), {results.h.data(), problem.stride},
                 nullptr, scratch.get(), nullptr);
  EXPECT_NEAR(RelativeError(results.h, ByCpu(problem).h), 0, 1e-5);
}

TEST("a failure of cuDNN is told with its cause; where the device is lost, it is told as that") {
  const auto cudnn = Open();
  REQUIRE(cudnn != nullptr);
  Problem problem(false, true);
  problem.shape.steps = 7;
  const auto failure = [&] { return ErrorOf([&] { ByCudnn(*cudnn, problem); }); };
  const std::string words = "ERR_DEVICE: cuDNN failed in cudnnRNNForward: a failure (a cause)";
  EXPECT(failure().code == ErrorCode::kDevice);
  EXPECT_EQ(failure().text, words);
  const LostDevice lost(cudaErrorLaunchFailure);
  EXPECT(failure().code == ErrorCode::kDeviceLost);
  EXPECT_TELLS(failure().text,
               words + "; the CUDA device: a failure (its name); this process can no longer use the device");
}

TEST("cuDNN reports its version and its file") {
  REQUIRE(Open() != nullptr);
  EXPECT_EQ(cuda::CudnnLibrary().version, "9.1.2");
  EXPECT_EQ(cuda::CudnnLibrary().path, SLIM_LSTM_FAKE_CUDNN_LIBRARY);
  EXPECT_EQ(cuda::CudnnLibrary().reason, "");
}

}  // namespace
}  // namespace slim::test

#endif
