#pragma once

#include <cstddef>
#include <cstdint>

#include "backend.h"

/// One step of the cell for some sequences, but for the full recurrent products, which come as operands. Rows of units
/// are padded to whole vectors and aligned; what lies in the padding has no meaning.
namespace slim {

/// Where a block's terms are found; -1 or null: it has no such term.
struct CellBlock {
  const float* fixed = nullptr;  // [padded]: the value, where it depends on neither sequence nor step
  int input = -1;                // place in a row of input products
  int full = -1;                 // in a row of recurrent products
  int diagonal = -1;             // in a row of diagonals
  int kept = -1;                 // in a row of kept values
  const float* bias = nullptr;   // [padded]
  int bias_sum = -1;             // row of the sums of gradients
  int diagonal_sum = -1;
};

struct CellParameters {
  CellBlock blocks[kBlocks];
  size_t units;
  size_t padded;
  Activation activation;
  Activation gate_activation;
  /// Whether products of what gates of u (.) h + b divide by stay far within the range of floats, and a fixed output
  /// gate leaves enough of tanh(c) in h.
  bool bounded_gates;
};

/// Row r of a step is that of sequence sequences[r]. What is told to be of [sequences] lies by the number of the
/// sequence, from that of sequence 0 on; what is of [rows] lies row by row.
struct ForwardStep {
  size_t rows;
  const int32_t* sequences;            // [rows]
  const float* const* input_products;  // [rows] of [input blocks, padded]
  const float* recurrent_products;     // [rows][full blocks, padded], or null: h is zero
  size_t recurrent_stride;
  const float* diagonals;  // [sequences][diagonal blocks, padded]; stride 0: one for all
  size_t diagonal_stride;
  const float* h_before;  // [sequences][padded]
  const float* c_before;
  float* h_after;  // may be h_before
  float* c_after;  // may be c_before
  size_t state_stride;
  float* kept;  // [sequences][kept blocks, padded], or null: inference
  size_t kept_stride;
  size_t kept_count;
  /// Floats from a row of states, and of kept values, to that of the turn after, which is asked for meanwhile where
  /// values are kept.
  ptrdiff_t next_state;
  ptrdiff_t next_kept;
  float* const* output;       // [rows] of [units], each may be null
  const float* full_factors;  // [sequences][full blocks, padded] of dropout, or null
  float* operands;            // gets h_after times the factors: shaped and strided as full_factors
  size_t full_stride;
  size_t full_count;
  float* row_values;  // [2, padded]: scratch for softmax
};

struct BackwardStep {
  size_t rows;
  const int32_t* sequences;  // [rows]
  float* kept;               // [sequences][kept blocks, padded]: values; gets the gradients of the pre-activations
  size_t kept_stride;
  size_t kept_count;
  const float* diagonals;
  size_t diagonal_stride;
  const float* diagonal_factors;  // [sequences][diagonal blocks, padded] of dropout, or null
  size_t diagonal_factor_stride;
  const float* h_before;  // [sequences][padded]
  const float* c_before;
  const float* h_after;
  const float* c_after;
  size_t state_stride;
  /// Floats from a row of states, and of kept values, to that of the turn before, which is asked for meanwhile.
  ptrdiff_t next_state;
  ptrdiff_t next_kept;
  /// [rows][padded]: the gradient of the state after the step; gets that of the state before it, but for what comes
  /// through the full recurrent products. dh is zero after the step where no block has a diagonal.
  float* dh;
  float* dc;
  size_t gradient_stride;
  const float* const* doutput;  // [rows] of [units]: added to dh; each may be null
  float* sums;                  // [groups][bias and diagonal blocks, padded]: added to
  size_t sums_stride;
  size_t group_rows;  // sequence p belongs to group p / group_rows
  float* row_values;  // [2, padded]: scratch for softmax
};

void RunForwardStep(const CellParameters& parameters, const ForwardStep& step);
void RunBackwardStep(const CellParameters& parameters, const BackwardStep& step);

}  // namespace slim
