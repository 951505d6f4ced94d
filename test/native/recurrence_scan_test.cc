// What the scans do apart from other walks, against the plain path in double precision: kernels for the gates that a
// cell has, the kernel's gradient summed on the way, and states that go past the caches.

#include <algorithm>

#include "recurrence_problem.h"
#include "test.h"

namespace slim::test {
namespace {

ThreadPool& Pool() {
  static ThreadPool pool(2);
  return pool;
}

// Scans with every choice of gates that move from step to step.
std::vector<NamedCell> Scans() {
  const BlockTerms moving = Terms("ub"), candidate = Terms("Wub"), bare = Terms("Wu");
  return {{"no gate", MakeCell(Constant(1.0f), Constant(0.4f), candidate, Constant(1.0f))},
          {"input gate", MakeCell(moving, Constant(0.96f), candidate, Constant(1.0f))},
          {"forget gate", MakeCell(Constant(0.5f), moving, bare, Constant(2.0f))},
          {"output gate", MakeCell(Constant(0.5f), Constant(0.9f), candidate, moving)},
          {"input and forget gate", MakeCell(moving, Terms("u"), candidate, Constant(-1.5f))},
          {"input and output gate", MakeCell(Terms("u"), Constant(0.7f), bare, moving)},
          {"forget and output gate", MakeCell(Constant(1.0f), moving, candidate, Terms("u"))},
          {"every gate", SameGates("ub", "Wub")},
          {"every gate without bias", SameGates("u", "Wub")},
          {"an input product in the output gate alone", MakeCell(Terms("u"), Terms("b"), Terms("ub"), Terms("Wu"))},
          {"an input product in the input gate alone", MakeCell(Terms("W"), Terms("ub"), Terms("ub"), moving)},
          {"gates of a bias", MakeCell(Terms("b"), moving, candidate, Terms("b"))}};
}

// Gates that keep nearly all of the state, and states larger than 1, carry the rounding errors of many steps along.
constexpr double kTolerance = 5e-5;

void Compare(const Problem& problem, const ProblemData& data, const std::string& name) {
  for (const NamedError& error : Errors(SolveOnCpu(problem, data, Pool()), SolvePlainly(problem, data))) {
    if (error.error <= kTolerance) continue;
    Fail(__FILE__, __LINE__, name + ", " + error.array + ": relative error " + Show(error.error));
  }
}

TEST("scans with any gates equal the plain path, however many panels and slices they have") {
  struct Sizes {
    int64_t batch, steps, inputs, units;
  };
  // Whole panels and parts of them; fewer rows than a product takes at a time and more; groups of one and four.
  const Sizes sizes[] = {{1, 40, 3, 64}, {16, 7, 19, 128}, {37, 45, 6, 70}, {64, 33, 13, 40}, {9, 5, 100, 272}};
  for (const NamedCell& named : Scans()) {
    for (const Sizes& size : sizes) {
      for (const bool masked : {false, true}) {
        Problem problem;
        problem.shape = MakeShape(named.cell, size.steps, size.inputs, size.units);
        problem.batch = size.batch;
        problem.masked = masked;
        problem.shape.reverse = size.steps % 2 != 0;
        problem.shape.return_sequences = masked;
        problem.shape.recurrent_dropout = masked ? 0.3f : 0.0f;
        Compare(problem, MakeData(problem), std::string(named.name) + " n " + std::to_string(size.units));
      }
    }
  }
}

TEST("gates far beyond where the sigmoid ends equal the plain path") {
  for (const NamedCell& named : Scans()) {
    Problem problem;
    problem.shape = MakeShape(named.cell, 12, 5, 80);
    problem.batch = 5;
    ProblemData data = MakeData(problem);
    for (float& weight : data.recurrent_diagonal) weight *= 300.0f;
    for (float& weight : data.bias) weight *= 300.0f;
    const Solution solution = SolveOnCpu(problem, data, Pool()), expected = SolvePlainly(problem, data);
    // Where all is saturated, gradients are too small to be compared by their own size.
    EXPECT(RelativeError(solution.output, expected.output) <= kTolerance);
    for (const double value : solution.kernel) EXPECT(std::isfinite(value));
    for (const double value : solution.recurrent_diagonal) EXPECT(std::isfinite(value));
  }
}

TEST("scans whose states no cache holds equal the plain path") {
  for (const NamedCell& named : {Scans().front(), Scans()[7]}) {
    Problem problem;
    problem.shape = MakeShape(named.cell, 40, 4, 300);
    problem.batch = 40;
    const ProblemData data = MakeData(problem);
    Compare(problem, data, named.name);
    ThreadPool alone(1), many(5);
    ExpectSameBits(named.name, SolveOnCpu(problem, data, many), SolveOnCpu(problem, data, alone));
  }
}

TEST("sequences leave a stem whose states no cache holds with the state they share") {
  Problem problem;
  problem.shape = MakeShape(SameGates("ub", "Wub"), 40, 4, 300);
  problem.batch = 40;
  problem.embedded = true;
  ProblemData data = MakeData(problem);
  for (int64_t b = 0; b < problem.batch; ++b) {
    std::fill_n(data.tokens.begin() + b * problem.shape.steps, 20 + b % 5, 3);
  }
  Compare(problem, data, "a stem");
}

TEST("a smaller batch fits into a scan's memory for a larger one") {
  const Cell cell = SameGates("ub", "Wub");
  const RecurrenceShape shape = MakeShape(cell, 6, 9, 256);
  for (int64_t most = 1; most <= 70; ++most) {
    const size_t bytes = RecurrenceScratchBytes(shape, most, false, true, 3);
    for (int64_t batch = 1; batch <= most; ++batch) {
      EXPECT(RecurrenceScratchBytes(shape, batch, false, true, 3) <= bytes);
    }
  }
  for (const bool masked : {false, true}) {
    for (const int64_t batch : {1, 6, 17, 69}) {
      Problem problem;
      problem.shape = shape;
      problem.batch = batch;
      problem.largest_batch = 70;
      problem.masked = masked;
      Compare(problem, MakeData(problem), "a batch of " + Show(batch));
    }
  }
}

}  // namespace
}  // namespace slim::test
