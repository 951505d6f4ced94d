// Cells whose gates are pointwise, beside a candidate with a full recurrent product, against the plain path in double
// precision: they have kernels of their own while their gates stay within a bound, and take the general path beyond it.

#include "cpu/dispatch.h"
#include "cpu/recurrence_turns.h"
#include "recurrence_problem.h"
#include "test.h"

namespace slim::test {
namespace {

ThreadPool& Pool() {
  static ThreadPool pool(2);
  return pool;
}

void Compare(const Problem& problem, const ProblemData& data, const std::string& name, double tolerance = 1e-5) {
  for (const NamedError& error : Errors(SolveOnCpu(problem, data, Pool()), SolvePlainly(problem, data))) {
    if (error.error <= tolerance) continue;
    Fail(__FILE__, __LINE__, name + ", " + error.array + ": relative error " + Show(error.error));
  }
}

struct NamedTerms {
  const char* name;
  BlockTerms terms;
};

// Every choice of gates: fixed by a constant or a bias, or seeing u (.) h with or without bias.
std::vector<std::pair<std::string, Cell>> PointwiseCells(const char* candidate) {
  const NamedTerms gates[] = {
      {"0.8", Constant(0.8f)}, {"b", Terms("b")}, {"u", Terms("u")}, {"ub", Terms("ub")}, {"nothing", Terms("")}};
  std::vector<std::pair<std::string, Cell>> cells;
  for (const NamedTerms& input : gates) {
    for (const NamedTerms& forget : gates) {
      for (const NamedTerms& output : gates) {
        const std::string name = std::string("i ") + input.name + " f " + forget.name + " o " + output.name;
        cells.emplace_back(name, MakeCell(input.terms, forget.terms, Terms(candidate), output.terms));
      }
    }
  }
  return cells;
}

TEST("every choice of pointwise gates equals the plain path") {
  for (const auto& [name, cell] : PointwiseCells("WUb")) {
    Compare(MakeProblem(cell, 1, 6, 3, 5), MakeData(MakeProblem(cell, 1, 6, 3, 5)), name + ", one sequence");
    // More sequences than a step takes at a time, some groups of several, and units of whole and of partial vectors.
    for (const int64_t units : {32, 51}) {
      Problem problem = MakeProblem(cell, 38, 5, 4, units);
      problem.shape.return_sequences = true;
      problem.shape.reverse = units == 51;
      Compare(problem, MakeData(problem), name + ", n " + std::to_string(units));
    }
  }
}

TEST("pointwise gates under dropout and masks, and in inference, equal the plain path") {
  for (const char* candidate : {"WUb", "WU"}) {
    for (const auto& [name, cell] : PointwiseCells(candidate)) {
      for (const int64_t units : {17, 48}) {
        Problem problem = MakeProblem(cell, 19, 7, 4, units);
        problem.masked = true;
        problem.training = units == 17;
        problem.shape.reverse = units == 48;
        Compare(problem, MakeData(problem), name + " masked");
        problem.training = true;
        problem.shape.recurrent_dropout = 0.3f;
        Compare(problem, MakeData(problem), name + " under recurrent dropout");
      }
    }
  }
}

// Random weights with gates of every third unit shut or open by a bias of this size.
ProblemData DataWithBias(const Problem& problem, float size) {
  ProblemData data = MakeData(problem);
  const int64_t units = problem.shape.units;
  const BlockPositions positions = PositionsOf(problem.shape.cell);
  for (const int gate : {kInputGate, kForgetGate, kOutputGate}) {
    if (positions.bias[gate] < 0) continue;
    for (int64_t j = gate; j < units; j += 3) {
      data.bias[static_cast<size_t>(positions.bias[gate] * units + j)] = j % 2 == 0 ? size : -size;
    }
  }
  return data;
}

TEST("gates equal the plain path at the bound of their kernels and beyond it") {
  for (const char* gates : {"ub", "b"}) {
    const Problem problem = MakeProblem(SameGates(gates, "WUb"), 9, 8, 4, 40);
    for (const float size : {20.0f, 28.5f, 29.7f, 31.0f, 60.0f, 100.0f}) {
      Compare(problem, DataWithBias(problem, size), std::string(gates) + " of " + Show(size));
    }
  }
}

TEST("diagonals of any size equal the plain path") {
  for (const float rate : {0.0f, 0.4f}) {
    for (const float scale : {10.0f, 40.0f, 1000.0f}) {
      Problem problem = MakeProblem(SameGates("ub", "WUb"), 9, 8, 4, 40);
      problem.shape.recurrent_dropout = rate;
      ProblemData data = MakeData(problem);
      for (size_t j = 0; j < data.recurrent_diagonal.size(); j += 5) data.recurrent_diagonal[j] *= scale;
      // The rounding of u (.) h grows with u.
      Compare(problem, data, "u times " + Show(scale), 1e-5 * static_cast<double>(scale));
    }
  }
}

TEST("an output gate that lets little or nothing through equals the plain path") {
  for (const float output : {1e-6f, 1e-12f, 1e-14f, 1e-15f, 0.0f, -2.0f}) {
    for (const char* gate : {"u", "b"}) {
      const Problem problem =
          MakeProblem(MakeCell(Terms(gate), Terms("ub"), Terms("WUb"), Constant(output)), 9, 8, 4, 40);
      Compare(problem, MakeData(problem), std::string(gate) + ", o " + Show(output));
    }
  }
}

TEST("what is not a number comes out as such") {
  for (const char* gates : {"u", "ub", "b"}) {
    const Problem problem = MakeProblem(SameGates(gates, "WUb"), 5, 4, 3, 20);
    ProblemData data = MakeData(problem);
    data.x[2] = std::nanf("");
    const Solution solution = SolveOnCpu(problem, data, Pool());
    for (int64_t b = 0; b < problem.batch; ++b) {
      for (int64_t j = 0; j < problem.shape.units; ++j) {
        EXPECT(std::isnan(solution.output[static_cast<size_t>(b * problem.shape.units + j)]) == (b == 0));
      }
    }
  }
}

TEST("the general path gives what the kernels of pointwise gates give") {
  // Beyond the bound in one unit, which no other sees, all units take the general path.
  for (const NamedCell& named : {Family()[4], Family()[5], Family()[6]}) {
    const Problem problem = MakeProblem(named.cell, 21, 9, 5, 40);
    ProblemData data = MakeData(problem), beyond = data;
    for (ProblemData* each : {&data, &beyond}) {
      for (size_t j = 0; j < 40; ++j) each->recurrent_kernel[39 * 40 + j] = 0.0f;
    }
    beyond.recurrent_diagonal[39] = 1e3f;
    Solution within = SolveOnCpu(problem, data, Pool()), general = SolveOnCpu(problem, beyond, Pool());
    double largest = 0.0;
    for (size_t i = 0; i < within.output.size(); ++i) {
      if (i % 40 != 39) largest = std::max(largest, std::fabs(within.output[i] - general.output[i]));
    }
    EXPECT(largest <= 5e-7);
    // Where there are two paths they round differently: both were taken.
    const CpuTarget target = ChosenCpuTarget();
    EXPECT(largest > 0.0 || (target != CpuTarget::kAvx2 && target != CpuTarget::kAvx512));
  }
}

}  // namespace
}  // namespace slim::test
