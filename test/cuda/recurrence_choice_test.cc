// Which kernel serves the recurrence, and what happens where one does not.

#include <memory>
#include <string>
#include <utility>

#include "caught.h"
#include "errors.h"
#include "recurrence_on_cuda.h"
#include "test.h"

#if defined(SLIM_CUDA_EMULATED)
#include "cuda/cuda_backend.h"
#include "emulation/emulator.h"
#endif

namespace slim::test {
namespace {

// The message of the error that a device refuses the cell with; empty where it serves it.
std::string Refusal(Bench& bench, const Cell& cell, int64_t units) {
  Problem problem = MakeProblem(cell, 2, 2, 2, units);
  problem.training = false;
  const ProblemData data = MakeData(problem);
  try {
    SolveOnDevice(bench, problem, data);
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.Code()), "ERR_INVALID_ARGUMENT");
    return error.what();
  }
  return "";
}

// The same, of a fresh device that is to use the kernel.
std::string RefusalBy(const char* kernel, const Cell& cell, int64_t units) {
  const KernelNamed forced(kernel);
  Bench bench(OpenCudaDevice(0));
  return Refusal(bench, cell, units);
}

void ExpectRight(Bench& bench, const Problem& problem, const char* what) {
  const ProblemData data = MakeData(problem);
  for (const NamedError& error : Errors(SolveOnDevice(bench, problem, data), SolvePlainly(problem, data))) {
    if (!(error.error <= 1e-5)) Fail(__FILE__, __LINE__, std::string(what) + ", " + error.array + " is off");
  }
}

TEST("a kernel that is named and does not serve the layer is refused by name and reason") {
  const Cell lstm = Family()[0].cell, scan = Family()[10].cell;
  EXPECT_EQ(RefusalBy("scan", lstm, 3),
            "Expected a kernel that serves the layer for SLIM_LSTM_KERNEL but received scan: units see each other");
  EXPECT_EQ(RefusalBy("block", scan, 3),
            "Expected a kernel that serves the layer for SLIM_LSTM_KERNEL but received block: no block has a full "
            "recurrent product");
  EXPECT_EQ(RefusalBy("block", lstm, 65),
            "Expected a kernel that serves the layer for SLIM_LSTM_KERNEL but received block: the weights take 2 "
            "blocks or more");
  EXPECT_EQ(RefusalBy("grid", lstm, 1025),
            "Expected a kernel that serves the layer for SLIM_LSTM_KERNEL but received grid: 1025 units are too many");
  EXPECT_EQ(RefusalBy("fast", lstm, 3),
            "Expected scan, block, cluster, grid or graph for SLIM_LSTM_KERNEL but received fast");
  EXPECT_EQ(RefusalBy("graph", lstm, 3), "");
}

TEST("a device keeps to the kernel that was named when it was opened") {
  std::unique_ptr<Backend> opened;
  {
    const KernelNamed forced("scan");
    opened = OpenCudaDevice(0);
  }
  Bench named(std::move(opened));
  const Cell lstm = Family()[0].cell, scan = Family()[10].cell;
  for (int time = 0; time < 2; ++time) EXPECT_TELLS(Refusal(named, lstm, 3), "received scan: units see each other");
  EXPECT_EQ(Refusal(named, scan, 3), "");
}

#if defined(SLIM_CUDA_EMULATED)

TEST("without clusters a layer that one block does not hold is walked by a grid, or by a graph") {
  emulated::Card card;
  card.major = 7;
  card.minor = 5;
  card.shared_per_multiprocessor = card.shared_per_block = size_t{64} << 10;
  emulated::Restart(card, 3);
  {
    const KernelNamed forced("cluster");
    Bench bench(cuda::MakeCudaBackend(0, Precision::kFloat32));
    EXPECT_EQ(
        Refusal(bench, Family()[0].cell, 3),
        "Expected a kernel that serves the layer for SLIM_LSTM_KERNEL but received cluster: clusters need compute "
        "capability 9.0, the device has 7.5");
  }
  Bench bench(cuda::MakeCudaBackend(0, Precision::kFloat32));
  ExpectRight(bench, MakeProblem(Family()[3].cell, 2, 2, 2, 130), "one full product, 130 units");
  ExpectRight(bench, MakeProblem(Family()[0].cell, 2, 3, 2, 5), "four full products, 5 units");
  ExpectRight(bench, MakeProblem(Family()[10].cell, 2, 3, 2, 5), "no full product, 5 units");
}

TEST("a grid that does not find room falls back to a graph") {
  for (const int taken : {3, 4}) {
    emulated::Restart({}, 4);
    const KernelNamed forced("grid:4");
    Bench bench(cuda::MakeCudaBackend(0, Precision::kFloat32));
    emulated::TakeMultiprocessors(taken);
    ExpectRight(bench, MakeProblem(Family()[0].cell, 3, 3, 2, 16), "a grid without room");
  }
}

TEST("a grid that fails otherwise is an error, and no other kernel hides it") {
  emulated::Restart({}, 4);
  const KernelNamed forced("grid:4");
  Bench bench(cuda::MakeCudaBackend(0, Precision::kFloat32));
  const Problem problem = MakeProblem(Family()[0].cell, 3, 3, 2, 16);
  const ProblemData data = MakeData(problem);
  emulated::RefuseGrids(cudaErrorLaunchOutOfResources);
  const Caught refused = ErrorOf([&] { SolveOnDevice(bench, problem, data); });
  EXPECT(refused.code == ErrorCode::kDevice);
  EXPECT_TELLS(refused.text, "ERR_DEVICE: Could not launch ");
  emulated::RefuseGrids(cudaErrorCooperativeLaunchTooLarge);
  ExpectRight(bench, problem, "a grid too large");
  emulated::RefuseGrids(cudaSuccess);
  ExpectRight(bench, problem, "a grid with room");
}

TEST("layers whose units share out their depth widely equal the plain path") {
  emulated::Card card;
  card.multiprocessors = 24;
  card.multiprocessors_per_cluster_group = 24;
  emulated::Restart(card, 5);
  const KernelNamed forced("grid");
  Bench bench(cuda::MakeCudaBackend(0, Precision::kFloat32));
  ExpectRight(bench, MakeProblem(Family()[0].cell, 1, 2, 1, 130), "four full products, 130 units");
  ExpectRight(bench, MakeProblem(Family()[0].cell, 1, 2, 1, 260), "four full products, 260 units");
  ExpectRight(bench, MakeProblem(Family()[3].cell, 3, 2, 1, 260), "one full product, 260 units");
  ExpectRight(bench, MakeProblem(Family()[3].cell, 2, 2, 1, 520), "one full product, 520 units");
}

#endif

}  // namespace
}  // namespace slim::test
