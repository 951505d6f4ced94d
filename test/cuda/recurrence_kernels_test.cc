// Every kernel of the recurrence (K1 to K5), forced in turn, forwards and backwards, beside the plain path in double
// precision.

#include "recurrence_on_cuda.h"
#include "test.h"

namespace slim::test {
namespace {

std::string NameOf(const char* kernel, const NamedCell& named, const Problem& problem) {
  const RecurrenceShape& shape = problem.shape;
  return std::string(kernel == nullptr ? "own choice" : kernel) + ": " + named.name + " B " +
         std::to_string(problem.batch) + " T " + std::to_string(shape.steps) + " m " + std::to_string(shape.inputs) +
         " n " + std::to_string(shape.units) + (problem.masked ? " masked" : "") +
         (problem.embedded ? " embedded" : "") + (problem.accumulate ? " accumulating" : "") +
         (shape.reverse ? " reverse" : "") + (shape.align_output ? " aligned" : "") +
         (shape.return_sequences ? " sequences" : "") + (shape.input_dropout > 0 ? " dropout" : "") +
         (shape.recurrent_dropout > 0 ? " recurrent dropout" : "") + (problem.training ? "" : " inference") +
         " activation " + std::to_string(static_cast<int>(shape.cell.activation)) + " gates " +
         std::to_string(static_cast<int>(shape.cell.gate_activation));
}

// On a fresh device, for the run of that number.
void Compare(int run, const char* kernel, const NamedCell& named, const Problem& problem) {
  if (kernel != nullptr && !HasKernel(kernel)) return;
  const KernelNamed forced(kernel);
  Bench bench(OpenCudaDevice(run));
  const ProblemData data = MakeData(problem);
  for (const NamedError& error : Errors(SolveOnDevice(bench, problem, data), SolvePlainly(problem, data))) {
    if (error.error <= 1e-5) continue;
    Fail(__FILE__, __LINE__,
         NameOf(kernel, named, problem) + ", " + error.array + ": relative error " + Show(error.error));
  }
}

// One for each way of working: four full products, some of them without inputs, one, a mixture, none.
std::vector<NamedCell> SomeCells() {
  const std::vector<NamedCell> all = AllCells();
  return {all[0], all[1], all[6], all[12], all[13], all[10]};
}

// The kernels that serve a cell.
std::vector<const char*> KernelsOf(const NamedCell& named) {
  if (named.cell.FullBlocks() == 0) return {"scan", "graph"};
  return {"block", "cluster:2", "grid:3", "graph"};
}

TEST("every variant equals the plain path, by every kernel that serves it") {
  for (const NamedCell& named : AllCells()) {
    for (const char* kernel : KernelsOf(named)) Compare(0, kernel, named, MakeProblem(named.cell, 3, 4, 5, 17));
  }
}

TEST("odd sizes equal the plain path") {
  struct Sizes {
    int64_t batch, steps, inputs, units;
  };
  const Sizes sizes[] = {{1, 1, 1, 1}, {9, 3, 1, 2}, {2, 3, 4, 33}};
  for (const NamedCell& named : SomeCells()) {
    for (const char* kernel : KernelsOf(named)) {
      for (const Sizes& size : sizes) {
        Compare(1, kernel, named, MakeProblem(named.cell, size.batch, size.steps, size.inputs, size.units));
      }
    }
  }
}

TEST("directions, outputs, masks, dropout and embeddings equal the plain path together") {
  int choice = 0;
  for (const NamedCell& named : SomeCells()) {
    for (const char* kernel : KernelsOf(named)) {
      // 11 has no divisor in common with the 64 combinations: all of them come, each kernel sees others.
      for (int i = 0; i < 4; ++i, choice += 11) {
        Problem problem = MakeProblem(named.cell, 4, 4, 3, 5);
        problem.shape.return_sequences = choice & 1;
        problem.masked = choice & 2;
        problem.shape.reverse = choice & 4;
        problem.shape.align_output = (choice & 5) == 5 && (choice & 2) == 0;
        problem.embedded = choice & 8;
        problem.accumulate = choice & 4;
        problem.vocabulary = choice & 1 ? 7 : 40;  // fewer tokens than positions, or more
        if (choice & 16) problem.shape.recurrent_dropout = 0.3f;
        if (choice & 32) problem.shape.input_dropout = 0.25f;
        Compare(2, kernel, named, problem);
      }
    }
  }
}

TEST("masks under dropout, seen backwards, equal the plain path by every kernel") {
  for (const NamedCell& named : SomeCells()) {
    for (const char* kernel : KernelsOf(named)) {
      Problem problem = MakeProblem(named.cell, 4, 6, 3, 6);
      problem.masked = true;
      problem.shape.reverse = problem.shape.return_sequences = problem.shape.align_output = true;
      problem.shape.recurrent_dropout = problem.shape.input_dropout = 0.4f;
      Compare(3, kernel, named, problem);
    }
  }
}

TEST("every activation equals the plain path") {
  for (const NamedCell& named : SomeCells()) {
    for (const Activation activation : {Activation::kLinear, Activation::kRelu, Activation::kSigmoid}) {
      Problem problem = MakeProblem(named.cell, 2, 3, 3, 5);
      problem.shape.cell.activation = activation;
      problem.shape.cell.gate_activation = Activation::kHardSigmoid;
      for (const char* kernel : KernelsOf(named)) Compare(4, kernel, named, problem);
    }
  }
}

TEST("softmax over the hidden axis equals the plain path") {
  for (const NamedCell& named : AllCells()) {
    Problem problem = MakeProblem(named.cell, 3, 4, 3, 7);
    problem.shape.cell.activation = Activation::kSoftmax;
    problem.masked = problem.shape.return_sequences = true;
    problem.shape.recurrent_dropout = 0.3f;
    Compare(5, nullptr, named, problem);
  }
}

TEST("inference equals the plain path and drops nothing") {
  for (const NamedCell& named : SomeCells()) {
    int choice = 0;
    for (const char* kernel : KernelsOf(named)) {
      Problem problem = MakeProblem(named.cell, 4, 5, 3, 12);
      problem.training = false;
      problem.shape.input_dropout = problem.shape.recurrent_dropout = 0.5f;
      problem.embedded = choice & 1;
      problem.masked = choice & 2;
      ++choice;
      Compare(6, kernel, named, problem);
    }
  }
}

TEST("sums over many steps lose nothing") {
  const std::vector<NamedCell> cells = AllCells();
  Compare(7, "scan", cells[10], MakeProblem(cells[10].cell, 1, 20000, 1, 3));
  Compare(7, "block", cells[3], MakeProblem(cells[3].cell, 1, 500, 1, 3));
}

bool SameBits(const Solution& a, const Solution& b) {
  return a.output == b.output && a.dx == b.dx && a.kernel == b.kernel && a.recurrent_kernel == b.recurrent_kernel &&
         a.recurrent_diagonal == b.recurrent_diagonal && a.bias == b.bias;
}

TEST("the same kernel gives the same bits every time, and teams of any size those of one block") {
  for (const NamedCell& named : {Family()[0], Family()[6]}) {
    Problem problem = MakeProblem(named.cell, 5, 3, 3, 33);
    problem.masked = problem.shape.return_sequences = true;
    const ProblemData data = MakeData(problem);
    Solution first;
    int run = 0;
    for (const char* kernel : {"block", "block", "cluster:2", "cluster:3", "cluster:4", "grid:2", "grid:3", "grid:4"}) {
      if (!HasKernel(kernel)) continue;
      const KernelNamed forced(kernel);
      Bench bench(OpenCudaDevice(run));
      const Solution solution = SolveOnDevice(bench, problem, data);
      if (run++ == 0) first = solution;
      if (!SameBits(solution, first)) Fail(__FILE__, __LINE__, NameOf(kernel, named, problem) + " has other bits");
    }
  }
}

TEST("a recorded step is replayed with the values of its time") {
  for (const char* kernel : {"block", "cluster:2", "grid:2", "graph"}) {
    if (!HasKernel(kernel)) continue;
    const KernelNamed forced(kernel);
    Problem problem = MakeProblem(Family()[0].cell, 3, 4, 3, 6);
    problem.shape.input_dropout = problem.shape.recurrent_dropout = 0.5f;
    const ProblemData data = MakeData(problem);
    Bench bench(OpenCudaDevice(0));
    DeviceProblem on_device(bench, problem, data);
    for (const uint32_t later : {9u, 5u, 0u}) {
      StepValues step = kTestStep;
      step.step += later;
      bench->SetStep(step);
      bench->Run(1, [&] {
        on_device.Forward();
        on_device.Backward();
      });
    }
    for (const NamedError& error : Errors(on_device.Result(), SolvePlainly(problem, data))) {
      if (!(error.error <= 1e-5)) Fail(__FILE__, __LINE__, std::string(kernel) + ", " + error.array + " is off");
    }
  }
}

TEST("a smaller batch fits into the memory of a larger one") {
  Bench bench(OpenCudaDevice(0));
  for (const NamedCell& named : AllCells()) {
    for (const bool dropout : {false, true}) {
      Problem largest = MakeProblem(named.cell, 40, 6, 5, 20);
      if (dropout) largest.shape.input_dropout = largest.shape.recurrent_dropout = 0.2f;
      const RecurrenceShape& shape = largest.shape;
      for (const bool embedded : {false, true}) {
        for (int64_t batch = 1; batch <= largest.batch; ++batch) {
          for (const bool training : {false, true}) {
            EXPECT(bench->RecurrenceScratchBytes(shape, batch, embedded, training) <=
                   bench->RecurrenceScratchBytes(shape, largest.batch, embedded, training));
          }
          EXPECT(bench->RecurrenceCacheBytes(shape, batch, embedded) <=
                 bench->RecurrenceCacheBytes(shape, largest.batch, embedded));
        }
      }
    }
  }
}

}  // namespace
}  // namespace slim::test
