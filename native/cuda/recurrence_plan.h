#pragma once

#include <cstddef>
#include <cstdint>

#include "backend.h"
#include "cuda/recurrence_cell.h"
#include "cuda/recurrence_dropout.h"

/// How the recurrence divides its work on a GPU; settled by the shape, before any step.
///
/// Rows. Whatever is kept of a step lies at the row of its position, b * T + time, so that the products over all steps
/// read and write plain matrices. Kept beside the blocks' values are the states before the step: with them one row
/// holds all that the backward pass and the gradient of U need.
///
/// Turns. A sequence's turns are the steps that it makes, in the order in which it makes them; masked positions are
/// none. They hold zeros where products read them.
namespace slim::cuda {

/// Blocks that lie side by side in a packed weight array and in the kept rows, so that one product serves them.
struct BlockRun {
  int packed;  // position of the first in the packed array
  int place;   // of the first in a kept row
  int count;
};

struct BlockRuns {
  BlockRun run[kBlocks];
  int count = 0;

  const BlockRun* begin() const { return run; }
  const BlockRun* end() const { return run + count; }
};

struct RecurrencePlan {
  RecurrencePlan(const RecurrenceShape& shape, int64_t batch, bool embedded, bool training);

  RecurrenceShape shape;
  CellPlan cell;
  int64_t batch, steps, inputs, units;
  int64_t positions;  // B * T
  int input_blocks = 0, full_blocks = 0, diagonal_blocks = 0, bias_blocks = 0;
  int kept_blocks = 0;  // training: those with an input or a full product; inference: those with an input product
  int64_t input_width = 0, full_width = 0, kept_width = 0;  // floats of a row of these blocks
  bool embedded, training;
  bool input_dropout, recurrent_dropout;
  bool sees_state;  // some block sees h before the step

  int SumBlocks() const { return bias_blocks + diagonal_blocks; }

  /// Whether x W is computed for each token of the vocabulary instead of for each position. Sizes are planned for any
  /// vocabulary: FoldRows is the most rows that a fold has.
  bool Folds(const SequenceInput& input) const { return embedded && input.vocabulary <= FoldRows(); }
  int64_t FoldRows() const { return embedded && !input_dropout && input_blocks > 0 ? positions / 2 : 0; }

  /// The widest rows that are summed by token.
  int64_t TokenRowWidth() const { return inputs > kept_width ? inputs : kept_width; }

  /// The blocks with an input product, or a full recurrent one; `apart`: each is a run of its own.
  BlockRuns InputRuns(bool apart) const { return RunsOf(cell.input, apart); }
  BlockRuns FullRuns(bool apart) const { return RunsOf(cell.full, apart); }

  /// The block at a position in the packed kernel, or in the packed recurrent kernel.
  int InputBlock(int packed) const { return BlockAt(cell.input, packed); }
  int FullBlock(int packed) const { return BlockAt(cell.full, packed); }

  /// What the layer reads, by position.
  IndexedRows InputRows(const SequenceInput& input) const {
    if (input.x != nullptr) return {input.x, nullptr, inputs};
    return {input.table, input.tokens, inputs};
  }

 private:
  static int BlockAt(const int8_t (&packed)[kBlocks], int position) {
    int block = 0;
    while (packed[block] != position) ++block;
    return block;
  }
  BlockRuns RunsOf(const int8_t (&packed)[kBlocks], bool apart) const;
};

}  // namespace slim::cuda
