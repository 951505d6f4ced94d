#include "cpu/recurrence_plan.h"

#include <algorithm>

#include "cpu/recurrence_turns.h"

namespace slim {
namespace {

// Floats in a vector of the widest instruction set.
constexpr size_t kWidestVector = 16;

// Sequences 4096 bytes apart, or a multiple of it, fall into the same sets of the first-level cache.
constexpr size_t kBadStride = 1024;

// Rows of a group: more of them save loads and stores of the sums, fewer give more tasks.
constexpr size_t kMostGroupRows = 4;
constexpr size_t kFewGroups = 16;

size_t SpreadStride(size_t stride, size_t row) { return stride % kBadStride == 0 ? stride + row : stride; }

}  // namespace

RecurrencePlan::RecurrencePlan(const RecurrenceShape& recurrence, int64_t sequences, bool reads_tokens, bool trains)
    : shape(recurrence),
      batch(static_cast<size_t>(sequences)),
      steps(static_cast<size_t>(recurrence.steps)),
      inputs(static_cast<size_t>(recurrence.inputs)),
      units(static_cast<size_t>(recurrence.units)),
      padded((units + kWidestVector - 1) / kWidestVector * kWidestVector),
      training(trains),
      input_dropout(trains && recurrence.input_dropout > 0.0f),
      recurrent_dropout(trains && recurrence.recurrent_dropout > 0.0f),
      embedded(reads_tokens),
      row_activation(recurrence.cell.activation == Activation::kSoftmax) {
  const BlockPositions positions = PositionsOf(shape.cell);
  for (int k = 0; k < kBlocks; ++k) {
    BlockPlan& block = blocks[k];
    block.input = positions.input[k];
    block.full = positions.full[k];
    block.diagonal = positions.diagonal[k];
    block.bias = positions.bias[k];
    const bool sees_nothing = block.input < 0 && block.full < 0 && block.diagonal < 0;
    block.fixed = shape.cell.blocks[k].constant || (k != kCandidate && sees_nothing);
    input_blocks += block.input >= 0;
    full_blocks += block.full >= 0;
    diagonal_blocks += block.diagonal >= 0;
    bias_blocks += block.bias >= 0;
  }
  for (const bool full : {true, false}) {
    for (int k = 0; k < kBlocks; ++k) {
      BlockPlan& block = blocks[k];
      const bool keeps = !block.fixed && (k == kCandidate || block.input >= 0 || block.full >= 0);
      if (keeps && (block.full >= 0) == full) block.kept = static_cast<int>(kept_blocks++);
    }
  }
  input_width = input_blocks * padded;
  full_width = full_blocks * padded;
  kept_width = kept_blocks * padded;
  sums = bias_blocks + diagonal_blocks;
  scan = full_blocks == 0 && !row_activation;
  fold = embedded && input_blocks > 0 && !input_dropout;
  stem = fold && !recurrent_dropout && steps > 1;
  group_rows = std::clamp<size_t>(batch / kFewGroups, 1, kMostGroupRows);
  groups = (batch + group_rows - 1) / group_rows;
  kept_stride = SpreadStride(steps * kept_width, kept_width);
  state_stride = SpreadStride((steps + 1) * padded, padded);
}

size_t RecurrencePlan::MostGroups() const {
  return std::max(std::min(batch, 2 * kFewGroups - 1), (batch + kMostGroupRows - 1) / kMostGroupRows);
}

size_t RecurrencePlan::ChunkTurns(size_t rows) const {
  return std::min(std::clamp<size_t>(kChunkRows / std::max<size_t>(rows, 1), 1, kMostChunkTurns), steps);
}

int RunsOf(const RecurrencePlan& plan, int BlockPlan::*term, bool apart, BlockRun runs[kBlocks]) {
  int count = 0;
  for (const BlockPlan& block : plan.blocks) {
    if (block.*term < 0) continue;
    const size_t packed = static_cast<size_t>(block.*term), place = static_cast<size_t>(block.kept);
    if (count > 0 && !apart && plan.Dense()) {
      BlockRun& last = runs[count - 1];
      if (last.packed + last.count == packed && last.place + last.count == place) {
        ++last.count;
        continue;
      }
    }
    runs[count++] = {packed, place, 1};
  }
  return count;
}

}  // namespace slim
