#pragma once

#include <cstdint>

#include "backend.h"

/// The order in which a layer walks its sequences. Turn k is the k-th step it makes; times are the input's.
namespace slim {

inline int64_t TimeOfTurn(const RecurrenceShape& shape, int64_t turn) {
  return shape.reverse ? shape.steps - 1 - turn : turn;
}

/// The row of the output, of T rows, that turn `turn` is written to with return_sequences.
inline int64_t OutputRowOfTurn(const RecurrenceShape& shape, int64_t turn) {
  return shape.align_output ? TimeOfTurn(shape, turn) : turn;
}

/// Positions of the blocks in the packed arrays; -1 where a block lacks the term.
struct BlockPositions {
  int input[kBlocks];
  int full[kBlocks];
  int diagonal[kBlocks];
  int bias[kBlocks];
};

inline BlockPositions PositionsOf(const Cell& cell) {
  BlockPositions positions;
  int inputs = 0, fulls = 0, diagonals = 0, biases = 0;
  for (int k = 0; k < kBlocks; ++k) {
    const BlockTerms& terms = cell.blocks[k];
    const bool computed = !terms.constant;
    positions.input[k] = computed && terms.input ? inputs++ : -1;
    positions.full[k] = computed && terms.recurrent == RecurrentTerm::kFull ? fulls++ : -1;
    positions.diagonal[k] = computed && terms.recurrent == RecurrentTerm::kDiagonal ? diagonals++ : -1;
    positions.bias[k] = computed && terms.bias ? biases++ : -1;
  }
  return positions;
}

}  // namespace slim
