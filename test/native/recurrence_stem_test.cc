// Turns that sequences begin with alike are walked once, and nothing shows it but the time.

#include "cpu/recurrence_plan.h"
#include "cpu/recurrence_sequences.h"
#include "recurrence_problem.h"
#include "test.h"

namespace slim::test {
namespace {

constexpr int32_t kPadding = 3;

// What the sequences of a batch begin with.
struct Beginning {
  const char* name;
  std::vector<int64_t> padding;  // turns of the padding's token, one sequence each
};

std::vector<Beginning> Beginnings(int64_t steps) {
  return {{"some padding", {0, 12, 25, 8, 19, 25, 13, 1, 20, 17, 9}},
          {"no padding", {0, 0, 0, 0, 0, 0}},
          {"padding throughout", {steps, 11, steps, steps, 0, steps, 16}},
          {"all alike", {steps, steps, steps, steps, steps, steps}},
          {"one sequence", {20}},
          {"two sequences", {20, 15}},
          {"one long padding", {9, 27, 9, 10, 0, 8, 12, 9}},
          {"padding that few have", {0, 0, 22, 0, 24, 0, 23}}};
}

// The batch of a beginning, behind an embedding.
Problem ProblemOf(const Cell& cell, const Beginning& beginning, int64_t steps, int64_t units) {
  Problem problem;
  problem.shape = MakeShape(cell, steps, 6, units);
  problem.batch = static_cast<int64_t>(beginning.padding.size());
  problem.embedded = true;
  return problem;
}

ProblemData DataOf(const Problem& problem, const Beginning& beginning) {
  ProblemData data = MakeData(problem);
  const int64_t steps = problem.shape.steps;
  for (int64_t b = 0; b < problem.batch; ++b) {
    const int64_t padding = beginning.padding[static_cast<size_t>(b)];
    for (int64_t turn = 0; turn < steps; ++turn) {
      int32_t& token = data.tokens[static_cast<size_t>(b * steps + (problem.shape.reverse ? steps - 1 - turn : turn))];
      if (turn < padding) {
        token = kPadding;
      } else if (turn == padding && token == kPadding) {
        token = kPadding + 1;
      }
    }
  }
  return data;
}

std::string NameOf(const NamedCell& named, const Beginning& beginning, const Problem& problem) {
  return std::string(named.name) + ", " + beginning.name + (problem.shape.reverse ? ", reverse" : "") +
         (problem.shape.align_output ? ", aligned" : "") + (problem.shape.return_sequences ? ", sequences" : "") +
         (problem.training ? "" : ", inference") + ", n " + std::to_string(problem.shape.units);
}

void Compare(const Problem& problem, const ProblemData& data, const std::string& name) {
  static ThreadPool pool(3);
  for (const NamedError& error : Errors(SolveOnCpu(problem, data, pool), SolvePlainly(problem, data))) {
    if (error.error <= 1e-5) continue;
    Fail(__FILE__, __LINE__, name + ", " + error.array + ": relative error " + Show(error.error));
  }
}

struct Found {
  std::vector<int32_t> order, starts;
};

Found Find(const Problem& problem, const ProblemData& data) {
  const RecurrencePlan plan(problem.shape, problem.batch, true, true);
  Found found{std::vector<int32_t>(plan.batch), std::vector<int32_t>(plan.batch)};
  std::vector<int32_t> lengths(plan.batch), times(plan.batch * plan.steps);
  FindSequences(plan, nullptr, data.tokens.data(),
                {found.order.data(), lengths.data(), found.starts.data(), times.data()});
  for (const int32_t length : lengths) EXPECT_EQ(int64_t{length}, problem.shape.steps);
  return found;
}

TEST("sequences are put in the order of the turns they share") {
  const Beginning beginning = {"", {12, 0, 25, 19, 3, 25, 20}};
  for (const bool reverse : {false, true}) {
    Problem problem = ProblemOf(SameGates("Wub", "Wub"), beginning, 28, 16);
    problem.shape.reverse = reverse;
    const Found scan = Find(problem, DataOf(problem, beginning));
    EXPECT(scan.starts == (std::vector<int32_t>{0, 3, 12, 19, 20, 25, 25}));
    EXPECT(std::equal(scan.order.begin(), scan.order.begin() + 5, std::vector<int32_t>{1, 4, 0, 3, 6}.begin()));
  }
}

TEST("where a turn reads a whole matrix, the stem ends where four sequences no longer share it") {
  const Beginning beginning = {"", {12, 0, 25, 19, 3, 25, 20}};
  Problem problem = ProblemOf(SameGates("WUb", "WUb"), beginning, 28, 16);
  EXPECT(Find(problem, DataOf(problem, beginning)).starts == (std::vector<int32_t>{0, 3, 12, 19, 19, 19, 19}));
}

TEST("every sequence walks its last turn itself") {
  const Beginning beginning = {"", {28, 28, 28, 28, 28}};
  const Problem problem = ProblemOf(SameGates("WUb", "WUb"), beginning, 28, 16);
  EXPECT(Find(problem, DataOf(problem, beginning)).starts == (std::vector<int32_t>{27, 27, 27, 27, 27}));
}

TEST("short or rare beginnings make no stem") {
  for (const Beginning& beginning :
       {Beginning{"", {0, 5, 7, 7, 7, 7, 7}}, Beginning{"", {0, 0, 0, 22, 22, 22}}, Beginning{"", {20}}}) {
    const Problem problem = ProblemOf(SameGates("WUb", "WUb"), beginning, 28, 16);
    const Found found = Find(problem, DataOf(problem, beginning));
    for (size_t p = 0; p < found.order.size(); ++p) {
      EXPECT_EQ(found.order[p], static_cast<int32_t>(p));
      EXPECT_EQ(found.starts[p], 0);
    }
  }
}

TEST("texts that begin alike beyond the padding share that too") {
  const Beginning beginning = {"", {10, 10, 10, 10, 4}};
  const Problem problem = ProblemOf(SameGates("WUb", "WUb"), beginning, 28, 16);
  ProblemData data = DataOf(problem, beginning);
  for (int64_t b = 0; b < 4; ++b) {
    for (int64_t t = 10; t < 15; ++t) data.tokens[static_cast<size_t>(b * 28 + t)] = static_cast<int32_t>(t) - 6;
    data.tokens[static_cast<size_t>(b * 28 + 15)] = static_cast<int32_t>(b);
  }
  EXPECT(Find(problem, data).starts == (std::vector<int32_t>{4, 15, 15, 15, 15}));
  Compare(problem, data, "texts that begin alike");
}

TEST("every variant equals the plain path however the sequences begin") {
  for (const NamedCell& named : AllCells()) {
    for (const Beginning& beginning : Beginnings(28)) {
      for (int choice = 0; choice < 8; ++choice) {
        Problem problem = ProblemOf(named.cell, beginning, 28, choice & 1 ? 20 : 32);
        problem.shape.reverse = choice & 2;
        problem.shape.align_output = (choice & 2) != 0 && (choice & 1) != 0;
        problem.shape.return_sequences = choice & 4;
        problem.accumulate = choice & 1;
        Compare(problem, DataOf(problem, beginning), NameOf(named, beginning, problem));
      }
    }
  }
}

TEST("inference equals the plain path however the sequences begin") {
  for (const NamedCell& named : AllCells()) {
    for (const Beginning& beginning : Beginnings(28)) {
      for (int choice = 0; choice < 4; ++choice) {
        Problem problem = ProblemOf(named.cell, beginning, 28, 20);
        problem.training = false;
        problem.shape.reverse = choice & 1;
        problem.shape.return_sequences = choice & 2;
        Compare(problem, DataOf(problem, beginning), NameOf(named, beginning, problem));
      }
    }
  }
}

TEST("softmax over the units equals the plain path behind a stem") {
  const Beginning beginning = Beginnings(28)[0];
  for (const NamedCell& named : AllCells()) {
    for (const bool sequences : {false, true}) {
      Problem problem = ProblemOf(named.cell, beginning, 28, 33);
      problem.shape.cell.activation = Activation::kSoftmax;
      problem.shape.return_sequences = sequences;
      Compare(problem, DataOf(problem, beginning), NameOf(named, beginning, problem));
    }
  }
}

TEST("long stems and wide layers equal the plain path") {
  for (const NamedCell& named : {Family()[0], Family()[3], Family()[6], Family()[10]}) {
    const Beginning long_stem = {"a long stem", {900, 700, 300, 899, 901, 0, 640}};
    Problem problem = ProblemOf(named.cell, long_stem, 910, 18);
    Compare(problem, DataOf(problem, long_stem), NameOf(named, long_stem, problem));
    const Beginning wide = {"a wide layer", {9, 11, 10, 12, 8}};
    problem = ProblemOf(named.cell, wide, 13, 300);
    problem.shape.return_sequences = true;
    Compare(problem, DataOf(problem, wide), NameOf(named, wide, problem));
  }
}

TEST("what a layer under dropout or a mask reads makes no difference to it being right") {
  const Beginning beginning = Beginnings(28)[0];
  for (const NamedCell& named : Family()) {
    for (int choice = 1; choice < 8; ++choice) {
      Problem problem = ProblemOf(named.cell, beginning, 28, 20);
      problem.masked = choice & 1;
      if (choice & 2) problem.shape.input_dropout = 0.3f;
      if (choice & 4) problem.shape.recurrent_dropout = 0.3f;
      Compare(problem, DataOf(problem, beginning), NameOf(named, beginning, problem));
    }
  }
}

TEST("a stem gives the same bits on any number of threads") {
  for (const NamedCell& named : AllCells()) {
    for (const Beginning& beginning : {Beginnings(28)[0], Beginnings(28)[2], Beginnings(28)[3]}) {
      for (int choice = 0; choice < 4; ++choice) {
        Problem problem = ProblemOf(named.cell, beginning, 28, choice & 1 ? 70 : 32);
        problem.shape.return_sequences = choice & 1;
        problem.shape.reverse = choice & 2;
        const ProblemData data = DataOf(problem, beginning);
        ThreadPool alone(1);
        const Solution expected = SolveOnCpu(problem, data, alone);
        for (const int threads : {2, 5}) {
          ThreadPool pool(threads);
          const std::string name = NameOf(named, beginning, problem) + " on " + std::to_string(threads) + " threads";
          ExpectSameBits(name, SolveOnCpu(problem, data, pool), expected);
        }
      }
    }
  }
}

}  // namespace
}  // namespace slim::test
