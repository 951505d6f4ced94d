// Every kernel of the recurrence (K1 to K5), forced in turn, forwards and backwards, beside the plain path in double
// precision.

#include <memory>

#include "cuda/cuda_backend.h"
#include "errors.h"
#include "recurrence_on_cuda.h"
#include "test.h"

#if defined(SLIM_CUDA_EMULATED)
#include "emulation/emulator.h"
#endif

namespace slim::test {
namespace {

// A device for one test; on the emulation a fresh card, whose threads run in the order of the seed.
class Device {
 public:
  explicit Device([[maybe_unused]] uint64_t seed = 0) {
#if defined(SLIM_CUDA_EMULATED)
    emulated::Restart({}, seed);
#endif
    backend_ = cuda::MakeCudaBackend(0);
  }
  Backend& operator*() const { return *backend_; }

 private:
  std::unique_ptr<Backend> backend_;
};

std::string NameOf(const char* kernel, const NamedCell& named, const Problem& problem) {
  const RecurrenceShape& shape = problem.shape;
  return std::string(kernel == nullptr ? "own choice" : kernel) + ": " + named.name + " B " +
         std::to_string(problem.batch) + " T " + std::to_string(shape.steps) + " m " + std::to_string(shape.inputs) +
         " n " + std::to_string(shape.units) + (problem.masked ? " masked" : "") +
         (problem.embedded ? " embedded" : "") + (shape.reverse ? " reverse" : "") +
         (shape.return_sequences ? " sequences" : "") + (shape.input_dropout > 0 ? " dropout" : "") +
         (shape.recurrent_dropout > 0 ? " recurrent dropout" : "") + (problem.training ? "" : " inference") +
         " activation " + std::to_string(static_cast<int>(shape.cell.activation));
}

void Compare(Backend& backend, const char* kernel, const NamedCell& named, const Problem& problem) {
  const KernelNamed forced(kernel);
  const ProblemData data = MakeData(problem);
  for (const NamedError& error : Errors(SolveOnDevice(backend, problem, data), SolvePlainly(problem, data))) {
    if (error.error <= 1e-5) continue;
    Fail(__FILE__, __LINE__,
         NameOf(kernel, named, problem) + ", " + error.array + ": relative error " + Show(error.error));
  }
}

std::vector<NamedCell> AllCells() {
  std::vector<NamedCell> cells = Family();
  for (const NamedCell& named : CustomCells()) cells.push_back(named);
  return cells;
}

bool IsScan(const NamedCell& named) { return named.cell.FullBlocks() == 0; }

// The kernels that serve a cell.
std::vector<const char*> KernelsOf(const NamedCell& named) {
  if (IsScan(named)) return {"scan", "graph"};
  return {"block", "cluster:2", "grid:2", "graph"};
}

Problem MakeProblem(const Cell& cell, int64_t batch, int64_t steps, int64_t inputs, int64_t units) {
  Problem problem;
  problem.shape = MakeShape(cell, steps, inputs, units);
  problem.batch = batch;
  return problem;
}

TEST("every variant equals the plain path at odd shapes, by every kernel that serves it") {
  struct Sizes {
    int64_t batch, steps, inputs, units;
  };
  const Sizes sizes[] = {{1, 1, 1, 1}, {3, 5, 7, 3}, {2, 9, 3, 17}, {3, 4, 5, 33}};
  const Device device;
  for (const NamedCell& named : AllCells()) {
    for (const char* kernel : KernelsOf(named)) {
      for (const Sizes& size : sizes) {
        Compare(*device, kernel, named, MakeProblem(named.cell, size.batch, size.steps, size.inputs, size.units));
      }
    }
  }
}

}  // namespace
}  // namespace slim::test
