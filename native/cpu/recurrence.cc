#include "cpu/recurrence.h"

#include <algorithm>
#include <vector>

#include "cpu/recurrence_reference.h"
#include "cpu/recurrence_turns.h"

namespace slim {
namespace {

std::vector<float> Copied(const float* values, int64_t count) {
  if (values == nullptr) return {};
  return {values, values + count};
}

ReferenceOperands<float> Gather(const StepValues& step, const RecurrenceShape& shape, int64_t batch,
                                const SequenceInput& input, const uint8_t* mask, const RecurrenceWeights& weights,
                                bool training) {
  ReferenceOperands<float> operands;
  operands.shape = shape;
  operands.batch = batch;
  const int64_t rows = batch * shape.steps;
  if (input.x != nullptr) {
    operands.x = Copied(input.x, rows * shape.inputs);
  } else {
    operands.x.resize(static_cast<size_t>(rows * shape.inputs));
    for (int64_t row = 0; row < rows; ++row) {
      std::copy_n(input.table + input.tokens[row] * shape.inputs, shape.inputs, operands.x.data() + row * shape.inputs);
    }
  }
  if (mask != nullptr) operands.mask.assign(mask, mask + rows);
  const Cell& cell = shape.cell;
  operands.kernel = Copied(weights.kernel, shape.inputs * cell.InputBlocks() * shape.units);
  operands.recurrent_kernel = Copied(weights.recurrent_kernel, shape.units * cell.FullBlocks() * shape.units);
  operands.recurrent_diagonal = Copied(weights.recurrent_diagonal, cell.DiagonalBlocks() * shape.units);
  operands.bias = Copied(weights.bias, cell.BiasBlocks() * shape.units);
  if (training) MakeDropoutFactors(step, operands);
  return operands;
}

void Scatter(const std::vector<float>& values, float* destination) {
  if (destination != nullptr) std::copy(values.begin(), values.end(), destination);
}

}  // namespace

size_t RecurrenceCacheBytes(const RecurrenceShape&, int64_t, bool) { return 64; }

size_t RecurrenceScratchBytes(const RecurrenceShape&, int64_t, bool, bool, int) { return 64; }

void RecurrenceForward(ThreadPool&, const StepValues& step, const RecurrenceShape& shape, int64_t batch,
                       const SequenceInput& input, const uint8_t* mask, const RecurrenceWeights& weights,
                       const StateOutput& output, void* cache, void*) {
  const auto operands = Gather(step, shape, batch, input, mask, weights, cache != nullptr);
  const auto values = ReferenceOutput(shape, batch, ReferenceForward(operands));
  const int64_t rows = batch * (shape.return_sequences ? shape.steps : 1);
  for (int64_t row = 0; row < rows; ++row) {
    std::copy_n(values.data() + row * shape.units, shape.units, output.h + row * output.stride);
  }
}

void RecurrenceBackward(ThreadPool&, const StepValues& step, const RecurrenceShape& shape, int64_t batch,
                        const SequenceInput& input, const uint8_t* mask, const RecurrenceWeights& weights,
                        const StateGradient& doutput, void*, const RecurrenceGradients& gradients,
                        const SequenceGradient& dinput, void*) {
  const auto operands = Gather(step, shape, batch, input, mask, weights, true);
  const int64_t rows = batch * (shape.return_sequences ? shape.steps : 1);
  std::vector<float> dh(static_cast<size_t>(rows * shape.units));
  for (int64_t row = 0; row < rows; ++row) {
    std::copy_n(doutput.dh + row * doutput.stride, shape.units, dh.data() + row * shape.units);
  }
  const auto result = ReferenceBackward(operands, ReferenceForward(operands), dh);
  Scatter(result.kernel, gradients.kernel);
  Scatter(result.recurrent_kernel, gradients.recurrent_kernel);
  Scatter(result.recurrent_diagonal, gradients.recurrent_diagonal);
  Scatter(result.bias, gradients.bias);
  if (dinput.dx != nullptr) {
    for (size_t i = 0; i < result.x.size(); ++i) dinput.dx[i] = result.x[i] + (dinput.accumulate ? dinput.dx[i] : 0.0f);
  }
  if (dinput.dtable != nullptr) {
    if (!dinput.accumulate) std::fill_n(dinput.dtable, input.vocabulary * shape.inputs, 0.0f);
    for (int64_t row = 0; row < batch * shape.steps; ++row) {
      float* to = dinput.dtable + input.tokens[row] * shape.inputs;
      for (int64_t i = 0; i < shape.inputs; ++i) to[i] += result.x[static_cast<size_t>(row * shape.inputs + i)];
    }
  }
}

}  // namespace slim
