#pragma once

#include <cstddef>
#include <cstdint>

#include "backend.h"

/// How the fast paths of the recurrence divide their work; settled by the shape, before any step.
namespace slim {

/// What is to be done for one block. Positions are -1 where the block has no such term.
struct BlockPlan {
  bool fixed = false;  // the value depends on neither sequence nor step: a constant, or a gate of a bias alone
  int input = -1;      // position in the packed kernel
  int full = -1;       // in the packed recurrent kernel
  int diagonal = -1;   // in the packed diagonals
  int bias = -1;       // in the packed bias
  /// Place among the blocks whose values the forward pass keeps and the backward pass replaces by the gradients of
  /// their pre-activations; those with a full recurrent product come first, so that they lie side by side. Gates that
  /// see a bias and a diagonal alone are not kept: to compute them again is as cheap as to read them.
  int kept = -1;
};

struct RecurrencePlan {
  RecurrencePlan(const RecurrenceShape& shape, int64_t batch, bool embedded, bool training);

  RecurrenceShape shape;
  BlockPlan blocks[kBlocks];
  size_t batch, steps, inputs, units;
  size_t padded;  // units rounded up, so that a row of each block is whole vectors of any instruction set
  size_t input_blocks = 0, full_blocks = 0, diagonal_blocks = 0, bias_blocks = 0, kept_blocks = 0;
  size_t input_width, full_width, kept_width;  // floats of a row of these blocks
  bool training;
  bool input_dropout, recurrent_dropout;
  bool embedded;
  bool fold;            // x W is computed once for each distinct token
  bool stem;            // turns that sequences begin with alike are walked once
  bool scan;            // every unit sees itself alone: no product between the steps
  bool row_activation;  // softmax: a unit's value depends on the whole row

  /// Sequences of a group share their sums of gradients. Groups depend on the batch alone, so that the order of
  /// summation does too.
  size_t group_rows, groups;
  /// Of this batch or any smaller one: memory is planned for the largest.
  size_t MostGroups() const;
  size_t sums;  // rows of sums that a group has: biases, then diagonals

  /// The most turns whose input products are computed at a time for `rows` sequences.
  size_t ChunkTurns(size_t rows) const;
  static constexpr size_t kMostChunkTurns = 32;
  /// Rows of x that are multiplied at a time: enough to make good use of a panel of weights, few enough for the
  /// products to wait for their steps in the second-level cache.
  static constexpr size_t kChunkRows = 96;

  // Strides between sequences in the cache.
  size_t kept_stride, state_stride;

  /// The cache row of a turn, its state before and its state after: rows rise with time, so a layer that walks
  /// backwards fills them from the end.
  size_t RowOfTurn(size_t turn) const { return shape.reverse ? steps - 1 - turn : turn; }
  size_t StateBefore(size_t turn) const { return shape.reverse ? steps - turn : turn; }
  size_t StateAfter(size_t turn) const { return shape.reverse ? steps - 1 - turn : turn + 1; }

  /// Whether the packed arrays of several blocks can be worked on as one: rows need no padding.
  bool Dense() const { return padded == units; }
};

/// One or more blocks that lie side by side in a packed array and in the rows that the plan lays out.
struct BlockRun {
  size_t packed;  // position of the first in the packed array
  size_t place;   // of the first among the kept blocks
  size_t count;
};

/// Runs of the blocks with an input product (`term` is &BlockPlan::input), or a full recurrent one, in packed order.
/// Returns their number. Where `apart` is true, or rows are padded, each block is a run of its own.
int RunsOf(const RecurrencePlan& plan, int BlockPlan::*term, bool apart, BlockRun runs[kBlocks]);

}  // namespace slim
