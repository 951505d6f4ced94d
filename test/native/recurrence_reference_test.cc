// The plain path's gradients against finite differences, in double precision: the oracle of all others.

#include "recurrence_problem.h"
#include "test.h"

namespace slim::test {
namespace {

double Objective(const Problem& problem, const ReferenceOperands<double>& operands, const std::vector<double>& weight) {
  const std::vector<double> output = ReferenceOutput(problem.shape, problem.batch, ReferenceForward(operands));
  double sum = 0.0;
  for (size_t i = 0; i < output.size(); ++i) sum += output[i] * weight[i];
  return sum;
}

std::vector<double> Differences(const Problem& problem, ReferenceOperands<double>& operands,
                                std::vector<double>& values, const std::vector<double>& weight) {
  constexpr double kStep = 1e-5;
  std::vector<double> gradient;
  for (double& value : values) {
    const double kept = value;
    value = kept + kStep;
    const double above = Objective(problem, operands, weight);
    value = kept - kStep;
    const double below = Objective(problem, operands, weight);
    value = kept;
    gradient.push_back((above - below) / (2.0 * kStep));
  }
  return gradient;
}

void CompareWithDifferences(const Problem& problem, const std::string& name) {
  const ProblemData data = MakeData(problem);
  ReferenceOperands<double> operands = ReferenceOf(problem, data);
  const std::vector<double> weight = Converted<double>(data.doutput);
  const ReferenceGradients<double> gradients = ReferenceBackward(operands, ReferenceForward(operands), weight);
  const auto compare = [&](const char* array, std::vector<double>& values, const std::vector<double>& gradient) {
    const double error = RelativeError(gradient, Differences(problem, operands, values, weight));
    if (!(error < 1e-7)) Fail(__FILE__, __LINE__, name + ", " + array + ": relative error " + Show(error));
  };
  compare("x", operands.x, gradients.x);
  compare("kernel", operands.kernel, gradients.kernel);
  compare("recurrent_kernel", operands.recurrent_kernel, gradients.recurrent_kernel);
  compare("recurrent_diagonal", operands.recurrent_diagonal, gradients.recurrent_diagonal);
  compare("bias", operands.bias, gradients.bias);
}

Problem SmallProblem(const Cell& cell) {
  Problem problem;
  problem.shape = MakeShape(cell, 4, 3, 5);
  problem.batch = 3;
  return problem;
}

TEST("gradients of every variant equal finite differences") {
  for (const NamedCell& named : Family()) CompareWithDifferences(SmallProblem(named.cell), named.name);
  for (const NamedCell& named : CustomCells()) CompareWithDifferences(SmallProblem(named.cell), named.name);
}

TEST("gradients of every activation equal finite differences") {
  for (const NamedCell& named : Family()) {
    for (const Activation activation : {Activation::kLinear, Activation::kSigmoid, Activation::kSoftmax}) {
      for (const Activation gate : {Activation::kSigmoid, Activation::kHardSigmoid}) {
        Problem problem = SmallProblem(named.cell);
        problem.shape.cell.activation = activation;
        problem.shape.cell.gate_activation = gate;
        CompareWithDifferences(problem, named.name);
      }
    }
  }
}

TEST("gradients through relu equal finite differences away from its kink") {
  for (const NamedCell& named : Family()) {
    Problem problem = SmallProblem(named.cell);
    problem.shape.cell.activation = Activation::kRelu;
    CompareWithDifferences(problem, named.name);
  }
}

TEST("gradients under masks, dropout and backward walks equal finite differences") {
  for (const NamedCell& named : Family()) {
    for (const bool reverse : {false, true}) {
      for (const bool sequences : {false, true}) {
        Problem problem = SmallProblem(named.cell);
        problem.masked = true;
        problem.shape.reverse = reverse;
        problem.shape.return_sequences = sequences;
        problem.shape.align_output = reverse;
        problem.shape.input_dropout = 0.3f;
        problem.shape.recurrent_dropout = 0.4f;
        CompareWithDifferences(problem, named.name);
      }
    }
  }
}

TEST("a sequence masked throughout gives zeros, and masked steps repeat the state") {
  Problem problem = SmallProblem(SameGates("WUb", "WUb"));
  problem.masked = true;
  problem.shape.return_sequences = true;
  const ProblemData data = MakeData(problem);
  const std::vector<double> output = SolvePlainly(problem, data).output;
  for (size_t j = 0; j < 4 * 5; ++j) EXPECT_EQ(output[j], 0.0);
  for (size_t t = 1; t < 4; ++t) {
    const size_t row = 2 * 4 + t;
    if (data.mask[row] != 0) continue;
    for (size_t j = 0; j < 5; ++j) EXPECT_EQ(output[row * 5 + j], output[(row - 1) * 5 + j]);
  }
}

TEST("one step of LSTM equals its closed form") {
  Problem problem;
  problem.shape = MakeShape(SameGates("WUb", "WUb"), 1, 1, 1);
  const ProblemData data = MakeData(problem);
  const double x = static_cast<double>(data.x[0]);
  const auto a = [&](size_t k) { return x * static_cast<double>(data.kernel[k]) + static_cast<double>(data.bias[k]); };
  const auto sigmoid = [](double v) { return 1.0 / (1.0 + std::exp(-v)); };
  const double c = sigmoid(a(0)) * std::tanh(a(2));
  EXPECT_NEAR(SolvePlainly(problem, data).output[0], sigmoid(a(3)) * std::tanh(c), 1e-15);
}

}  // namespace
}  // namespace slim::test
