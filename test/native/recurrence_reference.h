// The recurrence written plainly, one element at a time: what the fast kernels are compared with. In double it is the
// oracle of the gradients. It allocates and runs on one thread.
#pragma once

#include <cstdint>
#include <vector>

#include "backend.h"

namespace slim {

template <class Real>
struct ReferenceOperands {
  RecurrenceShape shape;
  int64_t batch = 0;
  std::vector<Real> x;        // [B, T, m]
  std::vector<uint8_t> mask;  // [B, T], or empty: every step counts
  std::vector<Real> kernel;   // as RecurrenceWeights
  std::vector<Real> recurrent_kernel;
  std::vector<Real> recurrent_diagonal;
  std::vector<Real> bias;
  std::vector<Real> input_factors;      // [B, 4, m] of dropout, or empty: none
  std::vector<Real> recurrent_factors;  // [B, 4, n], or empty
};

// By turn: index k + 1 of c and h is the state after turn k, index 0 the zeros before it.
template <class Real>
struct ReferenceStates {
  std::vector<Real> blocks;  // [B, T, 4, n]: values of i, f, c~, o
  std::vector<Real> c;       // [B, T + 1, n]
  std::vector<Real> h;       // [B, T + 1, n]
};

template <class Real>
struct ReferenceGradients {
  std::vector<Real> x;
  std::vector<Real> kernel;
  std::vector<Real> recurrent_kernel;
  std::vector<Real> recurrent_diagonal;
  std::vector<Real> bias;
};

// Fills the dropout factors from the streams of the shape.
template <class Real>
void MakeDropoutFactors(const StepValues& step, ReferenceOperands<Real>& operands);

template <class Real>
ReferenceStates<Real> ReferenceForward(const ReferenceOperands<Real>& operands);

// What leaves the layer: [B, T, n] with return_sequences, otherwise [B, n].
template <class Real>
std::vector<Real> ReferenceOutput(const RecurrenceShape& shape, int64_t batch, const ReferenceStates<Real>& states);

// `doutput` is shaped as ReferenceOutput.
template <class Real>
ReferenceGradients<Real> ReferenceBackward(const ReferenceOperands<Real>& operands, const ReferenceStates<Real>& states,
                                           const std::vector<Real>& doutput);

}  // namespace slim
