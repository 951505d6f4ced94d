#include "cpu/recurrence_operands.h"

#include <algorithm>
#include <cmath>

#include "cell.h"
#include "cpu/dropout.h"
#include "cpu/row_operations.h"

namespace slim {
namespace {

size_t WholeVectors(size_t columns) { return (columns + VectorLanes() - 1) / VectorLanes() * VectorLanes(); }

size_t BlocksOf(const RecurrencePlan& plan, int BlockPlan::*term) {
  size_t count = 0;
  for (const BlockPlan& block : plan.blocks) count += block.*term >= 0;
  return count;
}

void CopyRow(const RecurrencePlan& plan, const float* from, float* to) {
  std::copy_n(from, plan.units, to);
  std::fill(to + plan.units, to + plan.padded, 0.0f);
}

void FillFixed(const RecurrencePlan& plan, int k, const float* bias, float* values) {
  const BlockTerms& terms = plan.shape.cell.blocks[k];
  for (size_t j = 0; j < plan.units; ++j) {
    values[j] = terms.constant    ? terms.value
                : bias == nullptr ? Activate(plan.shape.cell.gate_activation, 0.0f)
                                  : Activate(plan.shape.cell.gate_activation, bias[j]);
  }
  std::fill(values + plan.units, values + plan.padded, 0.0f);
}

// |a| of gates up to which products of their denominators 1 + e^-a, and of these with c, stay far within the range of
// floats.
constexpr float kGateBound = 30.0f;
// Below it a constant output gate leaves too little of tanh(c) in h.
constexpr float kLeastOutput = 1e-13f;

// Whether |u (.) h + b| of every gate that sees h by a diagonal alone stays within the bound, |h| being at most that of
// the output gate, and whether that is not too small. Trained gates are far from either.
bool AreGatesBounded(const RecurrencePlan& plan, const CellParameters& cell, const float* recurrent_diagonal) {
  const float* output = cell.blocks[kOutputGate].fixed;
  const float most_factor = plan.recurrent_dropout ? 1.0f / (1.0f - plan.shape.recurrent_dropout) : 1.0f;
  // Not quite the bound, for the sake of what is rounded off on the way.
  constexpr float kBound = 0.99f * kGateBound;
  for (const int gate : {kInputGate, kForgetGate, kOutputGate}) {
    const CellBlock& block = cell.blocks[gate];
    if (block.diagonal < 0) continue;
    const float* u = recurrent_diagonal + static_cast<size_t>(block.diagonal) * plan.units;
    for (size_t j = 0; j < plan.units; ++j) {
      const float h = output == nullptr ? 1.0f : std::fabs(output[j]);
      const float b = block.bias == nullptr ? 0.0f : std::fabs(block.bias[j]);
      if (!(std::fabs(u[j]) * most_factor * h + b < kBound)) return false;
    }
  }
  if (output == nullptr) return true;
  return std::all_of(output, output + plan.units, [](float value) { return std::fabs(value) >= kLeastOutput; });
}

}  // namespace

PackedBlocks PackBlocks(const RecurrencePlan& plan, int BlockPlan::*term, bool apart, const float* weights,
                        size_t depth, float* storage, ThreadPool& pool) {
  PackedBlocks packed;
  packed.count = RunsOf(plan, term, apart, packed.runs);
  const size_t stride = BlocksOf(plan, term) * plan.units;
  pool.ParallelFor(static_cast<size_t>(packed.count), [&](size_t task, int) {
    const BlockRun& run = packed.runs[task];
    PackedMatrix& matrix = packed.matrices[task];
    matrix = Pack(weights + run.packed * plan.units, stride, depth, run.count * plan.units,
                  storage + run.packed * depth * plan.padded);
    matrix.columns = WholeVectors(matrix.columns);
  });
  return packed;
}

PackedBlocks PackTransposedBlocks(const RecurrencePlan& plan, int BlockPlan::*term, bool apart, const float* weights,
                                  size_t depth, float* storage, ThreadPool& pool) {
  PackedBlocks packed;
  packed.count = RunsOf(plan, term, apart, packed.runs);
  const size_t stride = BlocksOf(plan, term) * plan.units;
  const size_t block_floats = plan.units * ((depth + 15) / 16 * 16);
  pool.ParallelFor(static_cast<size_t>(packed.count), [&](size_t task, int) {
    const BlockRun& run = packed.runs[task];
    packed.matrices[task] = PackTransposed(weights + run.packed * plan.units, stride, run.count * plan.units, depth,
                                           storage + run.packed * block_floats);
  });
  return packed;
}

CellParameters PrepareCell(const RecurrencePlan& plan, const RecurrenceWeights& weights, RecurrenceTables& tables,
                           ThreadPool& pool) {
  CellParameters cell;
  cell.units = plan.units;
  cell.padded = plan.padded;
  cell.activation = plan.shape.cell.activation;
  cell.gate_activation = plan.shape.cell.gate_activation;
  for (int k = 0; k < kBlocks; ++k) {
    const BlockPlan& block = plan.blocks[k];
    CellBlock& described = cell.blocks[k];
    described.input = block.input;
    described.full = block.full;
    described.diagonal = block.diagonal;
    described.kept = block.kept;
    if (block.bias >= 0) {
      const size_t place = static_cast<size_t>(block.bias);
      CopyRow(plan, weights.bias + place * plan.units, tables.bias + place * plan.padded);
      described.bias = tables.bias + place * plan.padded;
      described.bias_sum = block.bias;
    }
    if (block.diagonal >= 0) described.diagonal_sum = static_cast<int>(plan.bias_blocks) + block.diagonal;
    if (block.fixed) {
      float* values = tables.fixed + static_cast<size_t>(k) * plan.padded;
      FillFixed(plan, k, described.bias, values);
      described.fixed = values;
    }
  }
  cell.bounded_gates = AreGatesBounded(plan, cell, weights.recurrent_diagonal);
  if (plan.diagonal_blocks == 0) return cell;
  const size_t width = plan.diagonal_blocks * plan.padded;
  const auto copy = [&](float* to) {
    for (size_t d = 0; d < plan.diagonal_blocks; ++d) {
      CopyRow(plan, weights.recurrent_diagonal + d * plan.units, to + d * plan.padded);
    }
  };
  if (!plan.recurrent_dropout) {
    copy(tables.diagonals);
    return cell;
  }
  pool.ParallelFor(plan.batch, [&](size_t p, int) {
    float* row = tables.diagonals + p * width;
    copy(row);
    MultiplyRow(width, row, tables.diagonal_factors + p * width, row);
  });
  return cell;
}

void PrepareDropout(const RecurrencePlan& plan, const StepValues& step, RecurrenceTables& tables, ThreadPool& pool) {
  if (!plan.input_dropout && !plan.recurrent_dropout) return;
  const RecurrenceShape& shape = plan.shape;
  const RandomStream inputs{step.seed, step.step, shape.input_stream};
  const RandomStream recurrents{step.seed, step.step, shape.recurrent_stream};
  pool.ParallelFor(plan.batch, [&](size_t p, int) {
    const uint64_t b = static_cast<uint64_t>(tables.order[p]);
    for (int k = 0; k < kBlocks; ++k) {
      const BlockPlan& block = plan.blocks[k];
      const uint64_t element = b * kBlocks + static_cast<uint64_t>(k);
      if (plan.input_dropout && block.input >= 0) {
        const size_t place = p * plan.input_blocks + static_cast<size_t>(block.input);
        DropoutFactors(inputs, shape.input_dropout, element * plan.inputs, plan.inputs,
                       tables.input_factors + place * plan.inputs);
      }
      if (!plan.recurrent_dropout) continue;
      const auto fill = [&](float* factors, size_t blocks, int position) {
        float* row = factors + (p * blocks + static_cast<size_t>(position)) * plan.padded;
        DropoutFactors(recurrents, shape.recurrent_dropout, element * plan.units, plan.units, row);
        std::fill(row + plan.units, row + plan.padded, 0.0f);
      };
      if (block.full >= 0) fill(tables.full_factors, plan.full_blocks, block.full);
      if (block.diagonal >= 0) fill(tables.diagonal_factors, plan.diagonal_blocks, block.diagonal);
    }
  });
}

}  // namespace slim
