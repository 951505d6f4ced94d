// The CPU's kernels against the plain path in double precision.

#include "recurrence_problem.h"
#include "test.h"

namespace slim::test {
namespace {

ThreadPool& Pool() {
  static ThreadPool pool(2);
  return pool;
}

void Compare(const Problem& problem, const std::string& name, double tolerance = 1e-5) {
  const ProblemData data = MakeData(problem);
  const std::vector<NamedError> errors = Errors(SolveOnCpu(problem, data, Pool()), SolvePlainly(problem, data));
  for (const NamedError& error : errors) {
    if (error.error <= tolerance) continue;
    Fail(__FILE__, __LINE__, name + ", " + error.array + ": relative error " + Show(error.error));
  }
}

std::string NameOf(const NamedCell& named, const Problem& problem) {
  const RecurrenceShape& shape = problem.shape;
  return std::string(named.name) + " B " + std::to_string(problem.batch) + " T " + std::to_string(shape.steps) + " m " +
         std::to_string(shape.inputs) + " n " + std::to_string(shape.units) + (problem.masked ? " masked" : "") +
         (problem.embedded ? " embedded" : "") + (shape.reverse ? " reverse" : "") +
         (shape.return_sequences ? " sequences" : "") + (shape.input_dropout > 0 ? " dropout" : "") +
         (shape.recurrent_dropout > 0 ? " recurrent dropout" : "") + (problem.training ? "" : " inference") +
         " activation " + std::to_string(static_cast<int>(shape.cell.activation));
}

TEST("every variant equals the plain path at odd shapes") {
  struct Sizes {
    int64_t batch, steps, inputs, units;
  };
  const Sizes sizes[] = {{1, 1, 1, 1},  {3, 2, 7, 5},     {33, 37, 7, 17}, {1, 37, 1, 1},
                         {2, 3, 5, 64}, {9, 5, 100, 130}, {18, 4, 3, 16},  {5, 70, 2, 48}};
  for (const NamedCell& named : AllCells()) {
    for (const Sizes& size : sizes) {
      Problem problem = MakeProblem(named.cell, size.batch, size.steps, size.inputs, size.units);
      problem.stream = 2;
      Compare(problem, NameOf(named, problem));
    }
  }
}

TEST("every activation equals the plain path") {
  for (const NamedCell& named : AllCells()) {
    for (const Activation activation :
         {Activation::kLinear, Activation::kRelu, Activation::kTanh, Activation::kSigmoid, Activation::kSoftmax}) {
      for (const Activation gate : {Activation::kSigmoid, Activation::kHardSigmoid}) {
        for (const int64_t units : {5, 40}) {
          Problem problem = MakeProblem(named.cell, 6, 5, 4, units);
          problem.shape.cell.activation = activation;
          problem.shape.cell.gate_activation = gate;
          problem.shape.return_sequences = units == 40;
          Compare(problem, NameOf(named, problem));
        }
      }
    }
  }
}

TEST("directions, outputs, masks, dropout and embeddings equal the plain path together") {
  for (const NamedCell& named : AllCells()) {
    for (int choice = 0; choice < 64; ++choice) {
      Problem problem = MakeProblem(named.cell, 11, 9, 6, choice & 1 ? 20 : 32);
      problem.shape.reverse = choice & 2;
      problem.shape.align_output = (choice & 2) != 0 && (choice & 1) != 0;
      problem.shape.return_sequences = choice & 4;
      problem.masked = choice & 8;
      problem.embedded = choice & 16;
      problem.accumulate = choice & 1;
      if (choice & 32) {
        problem.shape.recurrent_dropout = 0.3f;
        if (choice & 1) problem.shape.input_dropout = 0.25f;
      }
      Compare(problem, NameOf(named, problem));
    }
  }
}

TEST("input dropout alone equals the plain path") {
  for (const NamedCell& named : AllCells()) {
    for (const bool embedded : {false, true}) {
      Problem problem = MakeProblem(named.cell, 7, 8, 10, 33);
      problem.embedded = embedded;
      problem.masked = true;
      problem.shape.input_dropout = 0.5f;
      Compare(problem, NameOf(named, problem));
    }
  }
}

TEST("softmax under masks and dropout equals the plain path") {
  for (const NamedCell& named : AllCells()) {
    for (const bool reverse : {false, true}) {
      Problem problem = MakeProblem(named.cell, 7, 8, 10, 33);
      problem.masked = true;
      problem.shape.reverse = reverse;
      problem.shape.cell.activation = Activation::kSoftmax;
      problem.shape.return_sequences = true;
      problem.shape.recurrent_dropout = 0.3f;
      Compare(problem, NameOf(named, problem));
    }
  }
}

TEST("inference equals the plain path and drops nothing") {
  for (const NamedCell& named : AllCells()) {
    for (int choice = 0; choice < 16; ++choice) {
      Problem problem = MakeProblem(named.cell, 10, 40, 6, choice & 1 ? 21 : 64);
      problem.training = false;
      problem.shape.input_dropout = problem.shape.recurrent_dropout = 0.5f;
      problem.shape.reverse = choice & 2;
      problem.masked = choice & 4;
      problem.embedded = choice & 8;
      problem.shape.return_sequences = choice & 1;
      Compare(problem, NameOf(named, problem));
    }
  }
}

TEST("70,000 steps of one sequence equal the plain path") {
  for (const char* gates : {"b", "ub"}) {
    for (const char* candidate : {"WUb", "Wub"}) {
      const NamedCell named = {gates, SameGates(gates, candidate)};
      Problem problem = MakeProblem(named.cell, 1, 70000, 1, 3);
      Compare(problem, NameOf(named, problem));
    }
  }
}

TEST("wide layers equal the plain path") {
  for (const NamedCell& named : {Family()[0], Family()[3], Family()[10]}) {
    const Problem problem = MakeProblem(named.cell, 3, 3, 30, 600);
    Compare(problem, NameOf(named, problem));
  }
}

TEST("a smaller batch fits into the memory of a larger one") {
  for (const NamedCell& named : AllCells()) {
    for (const bool dropout : {false, true}) {
      Problem largest = MakeProblem(named.cell, 40, 6, 5, 20);
      if (dropout) largest.shape.input_dropout = largest.shape.recurrent_dropout = 0.2f;
      for (const bool embedded : {false, true}) {
        for (int64_t batch = 1; batch <= largest.batch; ++batch) {
          for (const bool training : {false, true}) {
            EXPECT(RecurrenceScratchBytes(largest.shape, batch, embedded, training, 2) <=
                   RecurrenceScratchBytes(largest.shape, largest.batch, embedded, training, 2));
          }
          EXPECT(RecurrenceCacheBytes(largest.shape, batch, embedded) <=
                 RecurrenceCacheBytes(largest.shape, largest.batch, embedded));
        }
      }
    }
  }
}

}  // namespace
}  // namespace slim::test
