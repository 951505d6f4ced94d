// The same bits whatever the number of threads, and however often.

#include "recurrence_problem.h"
#include "test.h"

namespace slim::test {
namespace {

TEST("results are the same bits on any number of threads") {
  for (const NamedCell& named : Family()) {
    for (int choice = 0; choice < 8; ++choice) {
      Problem problem;
      problem.shape = MakeShape(named.cell, 19, 12, choice & 1 ? 70 : 32);
      problem.batch = choice & 1 ? 37 : 12;
      problem.masked = choice & 2;
      problem.embedded = choice & 4;
      problem.shape.return_sequences = choice & 1;
      problem.shape.reverse = choice & 2;
      problem.shape.recurrent_dropout = choice & 4 ? 0.2f : 0.0f;
      const ProblemData data = MakeData(problem);
      ThreadPool alone(1);
      const Solution expected = SolveOnCpu(problem, data, alone);
      for (const int threads : {2, 3, 16}) {
        if (threads == 16 && choice != 1) continue;
        ThreadPool pool(threads);
        ExpectSameBits(std::string(named.name) + " on " + std::to_string(threads) + " threads",
                       SolveOnCpu(problem, data, pool), expected);
      }
    }
  }
}

TEST("a sequence's states do not depend on the others of its batch") {
  for (const NamedCell& named : Family()) {
    Problem problem;
    problem.shape = MakeShape(named.cell, 7, 9, 40);
    problem.batch = 21;
    problem.training = false;
    const ProblemData data = MakeData(problem);
    ThreadPool pool(2);
    const Solution together = SolveOnCpu(problem, data, pool);
    Problem single = problem;
    single.batch = 1;
    ProblemData last = data;
    last.x.erase(last.x.begin(), last.x.end() - 7 * 9);
    const Solution alone = SolveOnCpu(single, last, pool);
    const std::vector<double> row(together.output.end() - 40, together.output.end());
    EXPECT(row == alone.output);
  }
}

}  // namespace
}  // namespace slim::test
