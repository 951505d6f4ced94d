#include "cuda/recurrence_plan.h"

namespace slim::cuda {

RecurrencePlan::RecurrencePlan(const RecurrenceShape& s, int64_t b, bool is_embedded, bool is_training)
    : shape(s),
      batch(b),
      steps(s.steps),
      inputs(s.inputs),
      units(s.units),
      positions(b * s.steps),
      embedded(is_embedded),
      training(is_training),
      input_dropout(is_training && s.input_dropout > 0.0f && s.cell.InputBlocks() > 0),
      recurrent_dropout(is_training && s.recurrent_dropout > 0.0f &&
                        s.cell.FullBlocks() + s.cell.DiagonalBlocks() > 0) {
  cell.activation = s.cell.activation;
  cell.gate_activation = s.cell.gate_activation;
  for (int k = 0; k < kBlocks; ++k) {
    const BlockTerms& terms = s.cell.blocks[k];
    cell.constant[k] = cell.fixed[k] = terms.constant;
    cell.value[k] = terms.value;
    if (terms.constant) continue;
    const auto place = [](bool has, int& count) { return static_cast<int8_t>(has ? count++ : -1); };
    const bool full = terms.recurrent == RecurrentTerm::kFull;
    cell.input[k] = place(terms.input, input_blocks);
    cell.full[k] = place(full, full_blocks);
    cell.diagonal[k] = place(terms.recurrent == RecurrentTerm::kDiagonal, diagonal_blocks);
    cell.bias[k] = place(terms.bias, bias_blocks);
    cell.kept[k] = place(terms.input || (training && full), kept_blocks);
    cell.fixed[k] = k != kCandidate && !terms.input && terms.recurrent == RecurrentTerm::kNone;
  }
  cell.bias_blocks = static_cast<int8_t>(bias_blocks);
  sees_state = full_blocks + diagonal_blocks > 0;
  input_width = input_blocks * units;
  full_width = full_blocks * units;
  kept_width = kept_blocks * units;
}

BlockRuns RecurrencePlan::RunsOf(const int8_t (&packed)[kBlocks], bool apart) const {
  BlockRuns runs;
  for (int k = 0; k < kBlocks; ++k) {
    if (packed[k] < 0) continue;
    BlockRun* last = runs.count > 0 ? &runs.run[runs.count - 1] : nullptr;
    if (last != nullptr && !apart && last->place + last->count == cell.kept[k]) {
      ++last->count;
    } else {
      runs.run[runs.count++] = {packed[k], cell.kept[k], 1};
    }
  }
  return runs;
}

}  // namespace slim::cuda
