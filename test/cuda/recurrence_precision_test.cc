// The recurrence in tf32 and bfloat16, by every kernel that multiplies, beside the plain path in double precision.

#include "recurrence_on_cuda.h"
#include "test.h"

#if defined(SLIM_CUDA_EMULATED)
#include "cuda/cuda_backend.h"
#include "emulation/emulator.h"
#endif

namespace slim::test {
namespace {

struct NamedPrecision {
  const char* name;
  Precision precision;
  double tolerance;
  // What rounding h and U to this precision leaves at least, where sums of many of their products count.
  double least_error;
};

constexpr NamedPrecision kPrecisions[] = {{"tf32", Precision::kTf32, kTf32Tolerance, 1e-5},
                                          {"bfloat16", Precision::kBfloat16, kBfloat16Tolerance, 1e-4}};
// Below this many units a sum has so few products that their roundings do not average out.
constexpr int64_t kFewUnits = 16;
constexpr double kToleranceOfFew = 1.5;

constexpr const char* kKernels[] = {"block", "cluster:2", "grid:3"};

std::string NameOf(const NamedPrecision& precision, const char* kernel, const NamedCell& named,
                   const Problem& problem) {
  const RecurrenceShape& shape = problem.shape;
  return std::string(precision.name) + ", " + kernel + ": " + named.name + " B " + std::to_string(problem.batch) +
         " T " + std::to_string(shape.steps) + " n " + std::to_string(shape.units) + (problem.masked ? " masked" : "") +
         (problem.embedded ? " embedded" : "") + (shape.reverse ? " reverse" : "") +
         (shape.return_sequences ? " sequences" : "") + (shape.recurrent_dropout > 0 ? " recurrent dropout" : "");
}

void Compare(Bench& bench, const NamedPrecision& precision, const char* kernel, const NamedCell& named,
             const Problem& problem) {
  const ProblemData data = MakeData(problem);
  const double tolerance = precision.tolerance * (problem.shape.units < kFewUnits ? kToleranceOfFew : 1);
  for (const NamedError& error : Errors(SolveOnDevice(bench, problem, data), SolvePlainly(problem, data))) {
    if (error.error <= tolerance) continue;
    Fail(__FILE__, __LINE__,
         NameOf(precision, kernel, named, problem) + ", " + error.array + ": relative error " + Show(error.error));
  }
}

// On a fresh device, for the run of that number.
void CompareOnDevice(int run, const NamedPrecision& precision, const char* kernel, const NamedCell& named,
                     const Problem& problem) {
  if (!HasKernel(kernel)) return;
  const KernelNamed forced(kernel);
  Bench bench(OpenCudaDevice(run, precision.precision));
  Compare(bench, precision, kernel, named, problem);
}

// The cells that have a full recurrent product.
std::vector<NamedCell> CellsWithProducts() {
  std::vector<NamedCell> cells;
  for (const std::vector<NamedCell>& some : {Family(), CustomCells()}) {
    for (const NamedCell& named : some) {
      if (named.cell.FullBlocks() > 0) cells.push_back(named);
    }
  }
  return cells;
}

TEST("every cell with a full product is within the precision of the plain path") {
  int run = 0;
  for (const NamedPrecision& precision : kPrecisions) {
    for (const NamedCell& named : CellsWithProducts()) {
      CompareOnDevice(run, precision, kKernels[run % 3], named, MakeProblem(named.cell, 3, 4, 5, 19));
      ++run;
    }
  }
}

TEST("odd sizes are within the precision of the plain path") {
  struct Sizes {
    int64_t batch, steps, inputs, units;
  };
  // More sequences than a tile of the product has; units of three groups of warps.
  const Sizes sizes[] = {{1, 1, 1, 1}, {9, 3, 1, 2}, {21, 2, 2, 15}, {2, 3, 4, 33}};
  int run = 2;
  for (const NamedPrecision& precision : kPrecisions) {
    for (const NamedCell& named : {Family()[0], Family()[3], CustomCells()[0]}) {
      for (const Sizes& size : sizes) {
        CompareOnDevice(run, precision, kKernels[run % 3], named,
                        MakeProblem(named.cell, size.batch, size.steps, size.inputs, size.units));
        ++run;
      }
    }
  }
}

TEST("directions, outputs, masks, dropout and embeddings are within the precision of the plain path together") {
  int choice = 0;
  for (const NamedPrecision& precision : kPrecisions) {
    for (const NamedCell& named : {Family()[0], Family()[1], Family()[6], CustomCells()[0]}) {
      for (const char* kernel : kKernels) {
        // 7 has no divisor in common with the 32 combinations, so all of them come.
        for (int i = 0; i < 2; ++i, choice += 7) {
          Problem problem = MakeProblem(named.cell, 3, 4, 3, 7);
          problem.shape.return_sequences = choice & 1;
          problem.masked = choice & 2;
          problem.shape.reverse = choice & 4;
          problem.embedded = choice & 8;
          if (choice & 16) problem.shape.recurrent_dropout = 0.3f;
          CompareOnDevice(choice, precision, kernel, named, problem);
        }
      }
    }
  }
}

bool SameBits(const Solution& a, const Solution& b) {
  return a.output == b.output && a.dx == b.dx && a.kernel == b.kernel && a.recurrent_kernel == b.recurrent_kernel &&
         a.recurrent_diagonal == b.recurrent_diagonal && a.bias == b.bias;
}

TEST("a precision gives the same bits every time, and by teams of any size") {
  for (const NamedPrecision& precision : kPrecisions) {
    for (const NamedCell& named : {Family()[0], Family()[6]}) {
      Problem problem = MakeProblem(named.cell, 5, 3, 3, 49);
      problem.masked = problem.shape.return_sequences = true;
      const ProblemData data = MakeData(problem);
      Solution first;
      int run = 0;
      for (const char* kernel : {"block", "block", "cluster:3", "grid:4"}) {
        if (!HasKernel(kernel)) continue;
        const KernelNamed forced(kernel);
        Bench bench(OpenCudaDevice(run, precision.precision));
        const Solution solution = SolveOnDevice(bench, problem, data);
        if (run++ == 0) first = solution;
        if (!SameBits(solution, first)) {
          Fail(__FILE__, __LINE__, NameOf(precision, kernel, named, problem) + " has other bits");
        }
      }
    }
  }
}

double OutputError(const NamedPrecision& precision, const char* kernel, const Problem& problem) {
  const KernelNamed forced(kernel);
  const ProblemData data = MakeData(problem);
  Bench bench(OpenCudaDevice(0, precision.precision));
  return Errors(SolveOnDevice(bench, problem, data), SolvePlainly(problem, data)).front().error;
}

TEST("what is multiplied is rounded, and nothing else") {
  for (const NamedPrecision& precision : kPrecisions) {
    if (!HasPrecision(precision.precision)) continue;
    for (const char* kernel : kKernels) {
      if (!HasKernel(kernel)) continue;
      // No input product, so that U alone is multiplied, and not at the first turn.
      const Cell cell = SameGates("Ub", "Ub");
      Problem problem = MakeProblem(cell, 3, 6, 1, 30);
      problem.training = false;
      const double error = OutputError(precision, kernel, problem);
      if (error < precision.least_error) {
        Fail(__FILE__, __LINE__, std::string(precision.name) + ", " + kernel + ": rounds to " + Show(error) + " only");
      }
      problem.shape.steps = 1;
      EXPECT(OutputError(precision, kernel, problem) < 1e-6);
    }
  }
}

TEST("operands that a precision holds are multiplied and summed without loss") {
  // States are multiples of 1/4 and 1/8 at the first two turns, and U has elements of few bits.
  Cell cell = MakeCell(Constant(1.0f), Constant(0.0f), Terms("Ub"), Constant(1.0f));
  cell.activation = Activation::kLinear;
  for (const NamedPrecision& precision : kPrecisions) {
    for (const char* kernel : kKernels) {
      if (!HasKernel(kernel)) continue;
      Problem problem = MakeProblem(cell, 2, 2, 1, 37);
      problem.training = false;
      ProblemData data = MakeData(problem);
      for (size_t j = 0; j < data.bias.size(); ++j) data.bias[j] = static_cast<float>(static_cast<int>(j % 7) - 3) / 4;
      for (size_t i = 0; i < data.recurrent_kernel.size(); ++i) {
        data.recurrent_kernel[i] = static_cast<float>(static_cast<int>(i * 7 % 31) - 15) / 128;
      }
      const KernelNamed forced(kernel);
      Bench bench(OpenCudaDevice(1, precision.precision));
      EXPECT(SolveOnDevice(bench, problem, data).output == SolvePlainly(problem, data).output);
    }
  }
}

#if defined(SLIM_CUDA_EMULATED)

TEST("layers whose depth several warps share out are within the precision of the plain path") {
  emulated::Card card;
  card.multiprocessors = 12;
  card.multiprocessors_per_cluster_group = 12;
  const auto compare = [&](const NamedPrecision& precision, const char* kernel, const NamedCell& named, int64_t batch,
                           int64_t units, float dropout) {
    emulated::Restart(card, static_cast<uint64_t>(units));
    const KernelNamed forced(kernel);
    Bench bench(cuda::MakeCudaBackend(0, precision.precision));
    Problem problem = MakeProblem(named.cell, batch, 2, 1, units);
    problem.shape.recurrent_dropout = dropout;
    Compare(bench, precision, kernel, named, problem);
  };
  const NamedCell lstm = Family()[0], lstm3 = Family()[3];
  compare(kPrecisions[0], "grid", lstm, 11, 130, 0.0f);     // two slices
  compare(kPrecisions[0], "cluster", lstm3, 2, 130, 0.3f);  // two slices
  compare(kPrecisions[0], "grid", lstm3, 3, 300, 0.0f);     // three slices, the last of them half empty
  compare(kPrecisions[1], "block", lstm, 3, 100, 0.3f);     // two tiles of rows
  compare(kPrecisions[1], "cluster", lstm3, 2, 260, 0.0f);  // two slices
}

TEST("a device without matrix units multiplies in float32") {
  emulated::Card card;
  card.major = 7;
  card.minor = 5;
  card.shared_per_multiprocessor = card.shared_per_block = size_t{64} << 10;
  for (const NamedPrecision& precision : kPrecisions) {
    emulated::Restart(card, 3);
    const KernelNamed forced("block");
    Bench bench(cuda::MakeCudaBackend(0, precision.precision));
    NamedPrecision exact = precision;
    exact.tolerance = 1e-5;
    Compare(bench, exact, "block", Family()[0], MakeProblem(Family()[0].cell, 2, 3, 2, 17));
  }
}

#endif

}  // namespace
}  // namespace slim::test
