#pragma once

#include <cstddef>

#include "cpu/recurrence_steps.h"

/// The innermost loops of the scans: turns of one sequence, whose state stays in registers. Rows of units are as in
/// recurrence_steps.h.
namespace slim {

/// Rows of x that a product reads next: a scan asks for one of them with each of its turns, so that the product need
/// not wait for memory.
struct RowsAhead {
  const float* const* rows = nullptr;  // [count]
  size_t count = 0;
  size_t floats = 0;
};

/// Some turns of one sequence, for the units [first_unit, first_unit + units). Strides count floats from turn to turn
/// and may be negative.
struct ForwardScan {
  size_t turns;
  size_t first_unit;
  size_t units;
  const float* const* input_products;  // [turns]: rows from first_unit on
  size_t block_stride;                 // floats between the blocks of such a row
  const float* diagonals;              // [diagonal blocks, padded]
  float* state_h;                      // [padded]: before the first turn; gets the state after the last
  float* state_c;
  float* h;  // of the state after the first turn, or null: inference
  float* c;
  ptrdiff_t state_stride;
  float* kept;  // of the first turn, or null
  ptrdiff_t kept_stride;
  bool streams;          // states and kept values go past the caches, which would not hold them until they are read
  float* const* output;  // [turns] of [units of the layer], each may be null
  RowsAhead ahead;
};

struct BackwardScan {
  size_t turns;  // the last of them first
  size_t first_unit;
  size_t units;
  const float* diagonals;
  const float* diagonal_factors;  // or null
  const float* h_before;          // of the last turn
  const float* c_before;
  const float* h_after;
  const float* c_after;
  ptrdiff_t state_stride;  // to the turn before
  float* kept;             // values; get the gradients of the pre-activations
  ptrdiff_t kept_stride;
  const float* const* doutput;  // [turns], each may be null
  float* dh;                    // [padded]
  float* dc;
  float* sums;  // [bias and diagonal blocks, padded]: added to
  RowsAhead ahead;
};

void RunForwardScan(const CellParameters& cell, const ForwardScan& scan);
void RunBackwardScan(const CellParameters& cell, const BackwardScan& scan);

}  // namespace slim
