// Random problems for the recurrence, solved by the plain path in double precision and by the CPU's kernels.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "backend.h"
#include "cpu/memory.h"
#include "cpu/recurrence.h"
#include "philox.h"
#include "recurrence_reference.h"
#include "test.h"
#include "thread_pool.h"

namespace slim::test {

struct NamedCell {
  const char* name;
  Cell cell;
};

// Terms by a letter each: W input product, U full recurrent product, u diagonal, b bias.
inline BlockTerms Terms(const char* letters) {
  BlockTerms terms;
  for (const char* letter = letters; *letter != 0; ++letter) {
    terms.input |= *letter == 'W';
    terms.bias |= *letter == 'b';
    if (*letter == 'U') terms.recurrent = RecurrentTerm::kFull;
    if (*letter == 'u') terms.recurrent = RecurrentTerm::kDiagonal;
  }
  return terms;
}

inline BlockTerms Constant(float value) {
  BlockTerms terms;
  terms.constant = true;
  terms.value = value;
  return terms;
}

inline Cell MakeCell(BlockTerms input, BlockTerms forget, BlockTerms candidate, BlockTerms output) {
  Cell cell;
  cell.blocks[kInputGate] = input;
  cell.blocks[kForgetGate] = forget;
  cell.blocks[kCandidate] = candidate;
  cell.blocks[kOutputGate] = output;
  return cell;
}

inline Cell SameGates(const char* gates, const char* candidate) {
  return MakeCell(Terms(gates), Terms(gates), Terms(candidate), Terms(gates));
}

// The family, by the table of variants.
inline std::vector<NamedCell> Family() {
  return {{"LSTM", SameGates("WUb", "WUb")},
          {"LSTM1", SameGates("Ub", "WUb")},
          {"LSTM2", SameGates("U", "WUb")},
          {"LSTM3", SameGates("b", "WUb")},
          {"LSTM4", SameGates("u", "WUb")},
          {"LSTM4a", MakeCell(Terms("u"), Constant(0.96f), Terms("WUb"), Constant(1.0f))},
          {"LSTM5", SameGates("ub", "WUb")},
          {"LSTM5a", MakeCell(Terms("ub"), Constant(0.96f), Terms("WUb"), Constant(1.0f))},
          {"LSTM6", MakeCell(Constant(1.0f), Constant(0.4f), Terms("WUb"), Constant(1.0f))},
          {"LSTM10", SameGates("u", "Wub")},
          {"LSTM11", SameGates("ub", "Wub")},
          {"LSTM_C6", MakeCell(Constant(1.0f), Constant(0.4f), Terms("Wub"), Constant(1.0f))}};
}

// Combinations that no name has.
inline std::vector<NamedCell> CustomCells() {
  return {{"input gate W, forget gate U, output gate u", MakeCell(Terms("Wb"), Terms("Ub"), Terms("WU"), Terms("ub"))},
          {"gates of everything but U, candidate of u", MakeCell(Terms("Wub"), Terms("Wu"), Terms("Wb"), Terms("W"))},
          {"gates without terms", MakeCell(Terms(""), Terms("b"), Terms("WU"), Terms(""))},
          {"candidate without input", MakeCell(Terms("WU"), Terms("WU"), Terms("Ub"), Terms("WU"))},
          {"nothing recurrent", MakeCell(Terms("Wb"), Terms("b"), Terms("W"), Constant(0.5f))},
          {"no input at all", MakeCell(Terms("b"), Terms("ub"), Terms("ub"), Terms("U"))},
          {"scan with inputs in all gates", SameGates("Wub", "Wub")}};
}

inline std::vector<NamedCell> AllCells() {
  std::vector<NamedCell> cells = Family();
  for (const NamedCell& named : CustomCells()) cells.push_back(named);
  return cells;
}

struct Problem {
  RecurrenceShape shape;
  int64_t batch = 1;
  int64_t largest_batch = 1;  // for which there is memory, where it is larger
  bool masked = false;
  bool embedded = false;
  bool accumulate = false;
  bool training = true;
  int64_t vocabulary = 11;
  uint32_t stream = 1;
};

inline RecurrenceShape MakeShape(const Cell& cell, int64_t steps, int64_t inputs, int64_t units) {
  RecurrenceShape shape;
  shape.cell = cell;
  shape.steps = steps;
  shape.inputs = inputs;
  shape.units = units;
  shape.input_stream = 17;
  shape.recurrent_stream = 18;
  return shape;
}

inline Problem MakeProblem(const Cell& cell, int64_t batch, int64_t steps, int64_t inputs, int64_t units) {
  Problem problem;
  problem.shape = MakeShape(cell, steps, inputs, units);
  problem.batch = batch;
  return problem;
}

// Operands of a problem: floats, which the double-precision reference takes as they are.
struct ProblemData {
  std::vector<float> x, table, kernel, recurrent_kernel, recurrent_diagonal, bias, doutput;
  std::vector<int32_t> tokens;
  std::vector<uint8_t> mask;
  std::vector<float> dx_before, dtable_before;
};

class Uniform {
 public:
  explicit Uniform(uint32_t stream) : stream_{12345, 0, stream} {}
  double Next() { return stream_.Word(index_++) / 4294967296.0; }
  std::vector<float> Floats(int64_t count, double scale) {
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = static_cast<float>((2.0 * Next() - 1.0) * scale);
    return values;
  }

 private:
  RandomStream stream_;
  uint64_t index_ = 0;
};

inline int64_t OutputRows(const Problem& problem) {
  return problem.batch * (problem.shape.return_sequences ? problem.shape.steps : 1);
}

inline ProblemData MakeData(const Problem& problem) {
  const RecurrenceShape& shape = problem.shape;
  const Cell& cell = shape.cell;
  const int64_t rows = problem.batch * shape.steps;
  Uniform random(problem.stream);
  ProblemData data;
  const double kernel_scale = 1.5 / std::sqrt(static_cast<double>(shape.inputs));
  const double recurrent_scale = 0.9 / std::sqrt(static_cast<double>(shape.units));
  data.kernel = random.Floats(shape.inputs * cell.InputBlocks() * shape.units, kernel_scale);
  data.recurrent_kernel = random.Floats(shape.units * cell.FullBlocks() * shape.units, recurrent_scale);
  data.recurrent_diagonal = random.Floats(cell.DiagonalBlocks() * shape.units, 0.8);
  data.bias = random.Floats(cell.BiasBlocks() * shape.units, 0.5);
  data.doutput = random.Floats(OutputRows(problem) * shape.units, 1.0);
  if (problem.embedded) {
    data.table = random.Floats(problem.vocabulary * shape.inputs, 1.0);
    data.tokens.resize(static_cast<size_t>(rows));
    for (int32_t& token : data.tokens) {
      token = static_cast<int32_t>(random.Next() * static_cast<double>(problem.vocabulary));
    }
    data.dtable_before = random.Floats(problem.vocabulary * shape.inputs, 1.0);
  } else {
    data.x = random.Floats(rows * shape.inputs, 1.0);
    data.dx_before = random.Floats(rows * shape.inputs, 1.0);
  }
  if (problem.masked) {
    // One sequence masked throughout, one not at all, the others with holes and padding.
    data.mask.resize(static_cast<size_t>(rows));
    for (int64_t b = 0; b < problem.batch; ++b) {
      const int64_t begin = static_cast<int64_t>(random.Next() * static_cast<double>(shape.steps));
      for (int64_t t = 0; t < shape.steps; ++t) {
        const bool counts = b == 0 ? false : b == 1 ? true : t >= begin && random.Next() < 0.8;
        data.mask[static_cast<size_t>(b * shape.steps + t)] = counts;
      }
    }
  }
  return data;
}

struct Solution {
  std::vector<double> output, dx, dtable, kernel, recurrent_kernel, recurrent_diagonal, bias;
};

inline constexpr StepValues kTestStep{.seed = 99, .step = 3};

template <class To, class From>
std::vector<To> Converted(const std::vector<From>& values) {
  return {values.begin(), values.end()};
}

inline ReferenceOperands<double> ReferenceOf(const Problem& problem, const ProblemData& data) {
  ReferenceOperands<double> operands;
  const RecurrenceShape& shape = problem.shape;
  operands.shape = shape;
  operands.batch = problem.batch;
  operands.x = Converted<double>(data.x);
  if (problem.embedded) {
    for (const int32_t token : data.tokens) {
      const auto row = data.table.begin() + token * shape.inputs;
      operands.x.insert(operands.x.end(), row, row + shape.inputs);
    }
  }
  operands.mask = data.mask;
  operands.kernel = Converted<double>(data.kernel);
  operands.recurrent_kernel = Converted<double>(data.recurrent_kernel);
  operands.recurrent_diagonal = Converted<double>(data.recurrent_diagonal);
  operands.bias = Converted<double>(data.bias);
  if (problem.training) MakeDropoutFactors(kTestStep, operands);
  return operands;
}

inline Solution SolvePlainly(const Problem& problem, const ProblemData& data) {
  const ReferenceOperands<double> operands = ReferenceOf(problem, data);
  const ReferenceStates<double> states = ReferenceForward(operands);
  Solution solution;
  solution.output = ReferenceOutput(problem.shape, problem.batch, states);
  if (!problem.training) return solution;
  ReferenceGradients<double> gradients = ReferenceBackward(operands, states, Converted<double>(data.doutput));
  solution.kernel = gradients.kernel;
  solution.recurrent_kernel = gradients.recurrent_kernel;
  solution.recurrent_diagonal = gradients.recurrent_diagonal;
  solution.bias = gradients.bias;
  if (problem.embedded) {
    solution.dtable.assign(data.table.size(), 0.0);
    if (problem.accumulate) solution.dtable = Converted<double>(data.dtable_before);
    for (size_t row = 0; row < data.tokens.size(); ++row) {
      for (int64_t i = 0; i < problem.shape.inputs; ++i) {
        solution.dtable[static_cast<size_t>(data.tokens[row] * problem.shape.inputs + i)] +=
            gradients.x[row * static_cast<size_t>(problem.shape.inputs) + static_cast<size_t>(i)];
      }
    }
  } else {
    solution.dx = gradients.x;
    for (size_t i = 0; problem.accumulate && i < solution.dx.size(); ++i) {
      solution.dx[i] += static_cast<double>(data.dx_before[i]);
    }
  }
  return solution;
}

// Memory whose content is poison, so that what nobody wrote shows.
inline AlignedBuffer Poisoned(size_t bytes) {
  AlignedBuffer buffer(std::max<size_t>(bytes, 1));
  std::memset(buffer.data(), 0xFF, buffer.bytes());  // NaN as floats
  return buffer;
}

inline Solution SolveOnCpu(const Problem& problem, const ProblemData& data, ThreadPool& pool) {
  const RecurrenceShape& shape = problem.shape;
  const size_t units = static_cast<size_t>(shape.units);
  const size_t rows = static_cast<size_t>(OutputRows(problem));
  const int64_t largest = std::max(problem.batch, problem.largest_batch);
  AlignedBuffer cache = Poisoned(RecurrenceCacheBytes(shape, largest, problem.embedded));
  AlignedBuffer scratch =
      Poisoned(RecurrenceScratchBytes(shape, largest, problem.embedded, problem.training, pool.threads()));
  SequenceInput input;
  if (problem.embedded) {
    input.tokens = data.tokens.data();
    input.table = data.table.data();
    input.vocabulary = problem.vocabulary;
  } else {
    input.x = data.x.data();
  }
  const uint8_t* mask = problem.masked ? data.mask.data() : nullptr;
  const RecurrenceWeights weights = {data.kernel.data(), data.recurrent_kernel.data(), data.recurrent_diagonal.data(),
                                     data.bias.data()};
  // The layer's rows lie apart, as in one half of a bidirectional pair; what lies between must not be touched.
  constexpr float kUntouched = 123.0f;
  const size_t stride = units + 3;
  std::vector<float> h(rows * stride, kUntouched);
  RecurrenceForward(pool, kTestStep, shape, problem.batch, input, mask, weights,
                    {h.data(), static_cast<int64_t>(stride)}, problem.training ? cache.data() : nullptr,
                    scratch.data());
  Solution solution;
  for (size_t row = 0; row < rows; ++row) {
    for (size_t j = 0; j < units; ++j) solution.output.push_back(static_cast<double>(h[row * stride + j]));
    for (size_t j = units; j < stride; ++j) {
      if (h[row * stride + j] != kUntouched) solution.output.push_back(std::nan(""));
    }
  }
  if (!problem.training) return solution;

  std::memset(scratch.data(), 0xFF, scratch.bytes());
  std::vector<float> dh(rows * stride, std::nanf(""));
  for (size_t row = 0; row < rows; ++row) {
    std::copy_n(data.doutput.begin() + static_cast<ptrdiff_t>(row * units), units,
                dh.begin() + static_cast<ptrdiff_t>(row * stride));
  }
  const float poison = std::nanf("");
  std::vector<float> kernel(data.kernel.size(), poison), recurrent(data.recurrent_kernel.size(), poison),
      diagonal(data.recurrent_diagonal.size(), poison), bias(data.bias.size(), poison);
  std::vector<float> dx(data.x.size(), poison), dtable(data.table.size(), poison);
  if (problem.accumulate) dx = data.dx_before, dtable = data.dtable_before;
  SequenceGradient dinput;
  dinput.dx = problem.embedded ? nullptr : dx.data();
  dinput.dtable = problem.embedded ? dtable.data() : nullptr;
  dinput.accumulate = problem.accumulate;
  const auto wanted = [](std::vector<float>& gradient) { return gradient.empty() ? nullptr : gradient.data(); };
  RecurrenceBackward(pool, kTestStep, shape, problem.batch, input, mask, weights,
                     {dh.data(), static_cast<int64_t>(stride)}, cache.data(),
                     {wanted(kernel), wanted(recurrent), wanted(diagonal), wanted(bias)}, dinput, scratch.data());
  solution.kernel = Converted<double>(kernel);
  solution.recurrent_kernel = Converted<double>(recurrent);
  solution.recurrent_diagonal = Converted<double>(diagonal);
  solution.bias = Converted<double>(bias);
  solution.dx = Converted<double>(dx);
  solution.dtable = Converted<double>(dtable);
  return solution;
}

// ||a - b|| / ||b||; NaN where one of a is, infinite where only b is zero or the sizes differ.
inline double RelativeError(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return INFINITY;
  double difference = 0.0, norm = 0.0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  if (difference == 0.0) return 0.0;
  return std::sqrt(difference / norm);
}

struct NamedError {
  const char* array;
  double error;
};

inline std::vector<NamedError> Errors(const Solution& a, const Solution& b) {
  return {{"output", RelativeError(a.output, b.output)},
          {"dx", RelativeError(a.dx, b.dx)},
          {"dtable", RelativeError(a.dtable, b.dtable)},
          {"kernel", RelativeError(a.kernel, b.kernel)},
          {"recurrent_kernel", RelativeError(a.recurrent_kernel, b.recurrent_kernel)},
          {"recurrent_diagonal", RelativeError(a.recurrent_diagonal, b.recurrent_diagonal)},
          {"bias", RelativeError(a.bias, b.bias)}};
}

inline void ExpectSameBits(const std::string& name, const Solution& a, const Solution& b) {
  const auto compare = [&](const char* array, const std::vector<double>& x, const std::vector<double>& y) {
    if (x.size() != y.size() || (!x.empty() && std::memcmp(x.data(), y.data(), x.size() * sizeof(double)) != 0)) {
      Fail(__FILE__, __LINE__, name + ": " + array + " differs");
    }
  };
  compare("output", a.output, b.output);
  compare("dx", a.dx, b.dx);
  compare("dtable", a.dtable, b.dtable);
  compare("kernel", a.kernel, b.kernel);
  compare("recurrent_kernel", a.recurrent_kernel, b.recurrent_kernel);
  compare("recurrent_diagonal", a.recurrent_diagonal, b.recurrent_diagonal);
  compare("bias", a.bias, b.bias);
}

}  // namespace slim::test
