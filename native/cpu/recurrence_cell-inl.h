// The cell's mathematics on vectors of neighbouring units of one sequence. What the formulas are: cell.h.

#if defined(SLIM_CPU_RECURRENCE_CELL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLIM_CPU_RECURRENCE_CELL_INL_H_
#undef SLIM_CPU_RECURRENCE_CELL_INL_H_
#else
#define SLIM_CPU_RECURRENCE_CELL_INL_H_
#endif

#include "cpu/recurrence_steps.h"
#include "cpu/recurrence_units-inl.h"
#include "cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {

// What of a sequence's step the forward pass reads; rows as in ForwardStep, but for the input products: their row
// begins at the unit first_unit, and its blocks are input_stride floats apart.
struct ForwardOperands {
  const float* input_products;
  size_t input_stride;
  size_t first_unit;
  const float* recurrent_products;  // or null
  const float* diagonals;
};

// The pre-activation of a block: bias + u (.) h + x W + h U. The first two are summed first, so that gates of these
// alone come out the same where the backward pass computes them again.
template <int kVectors>
HWY_INLINE Units<kVectors> PreActivation(const CellParameters& cell, const CellBlock& block,
                                         const ForwardOperands& operands, size_t at, Units<kVectors> h_before) {
  Units<kVectors> a = block.bias != nullptr ? LoadUnits<kVectors>(block.bias + at) : ZeroUnits<kVectors>();
  if (block.diagonal >= 0) {
    const float* u = operands.diagonals + static_cast<size_t>(block.diagonal) * cell.padded + at;
    a = MultiplyAddUnits(LoadUnits<kVectors>(u), h_before, a);
  }
  if (block.input >= 0) {
    const size_t place = static_cast<size_t>(block.input) * operands.input_stride + at - operands.first_unit;
    a = a + LoadUnits<kVectors>(operands.input_products + place);
  }
  if (block.full >= 0 && operands.recurrent_products != nullptr) {
    a = a + LoadUnits<kVectors>(operands.recurrent_products + static_cast<size_t>(block.full) * cell.padded + at);
  }
  return a;
}

// Keeps a block's value where the backward pass wants it.
template <int kVectors>
HWY_INLINE void KeepValue(const CellParameters& cell, const CellBlock& block, Units<kVectors> value, size_t at,
                          float* kept) {
  if (kept != nullptr && block.kept >= 0) {
    StoreUnits(value, kept + static_cast<size_t>(block.kept) * cell.padded + at);
  }
}

template <int kVectors>
HWY_INLINE Units<kVectors> GateValue(const CellParameters& cell, const CellBlock& block,
                                     const ForwardOperands& operands, size_t at, Units<kVectors> h_before,
                                     float* kept) {
  if (block.fixed != nullptr) return LoadUnits<kVectors>(block.fixed + at);
  const Units<kVectors> a = PreActivation<kVectors>(cell, block, operands, at, h_before);
  const Units<kVectors> value = ActivateGate(cell.gate_activation, a);
  KeepValue(cell, block, value, at, kept);
  return value;
}

template <int kVectors>
HWY_INLINE Units<kVectors> CandidateValue(const CellParameters& cell, const ForwardOperands& operands, size_t at,
                                          Units<kVectors> h_before, float* kept) {
  const CellBlock& block = cell.blocks[kCandidate];
  if (block.fixed != nullptr) return LoadUnits<kVectors>(block.fixed + at);
  const Units<kVectors> a = PreActivation<kVectors>(cell, block, operands, at, h_before);
  const Units<kVectors> value = ActivateUnits(cell.activation, a);
  KeepValue(cell, block, value, at, kept);
  return value;
}

// h and c hold the state before the step and get the state after it.
template <int kVectors>
HWY_INLINE void ForwardUnits(const CellParameters& cell, const ForwardOperands& operands, size_t at, float* kept,
                             Units<kVectors>& h, Units<kVectors>& c) {
  const Units<kVectors> input = GateValue(cell, cell.blocks[kInputGate], operands, at, h, kept);
  const Units<kVectors> forget = GateValue(cell, cell.blocks[kForgetGate], operands, at, h, kept);
  const Units<kVectors> output = GateValue(cell, cell.blocks[kOutputGate], operands, at, h, kept);
  const Units<kVectors> candidate = CandidateValue(cell, operands, at, h, kept);
  c = MultiplyAddUnits(forget, c, input * candidate);
  h = output * ActivateUnits(cell.activation, c);
}

// What of a sequence's step the backward pass reads and writes; rows as in BackwardStep.
struct BackwardOperands {
  float* kept;
  const float* diagonals;
  const float* diagonal_factors;  // or null
};

// Sums of gradients of the rows of a group, held in registers from row to row. That of the bias of a fixed gate leaves
// out the gate's slope, which all rows share, until it is stored.
template <int kVectors>
struct GradientSums {
  Units<kVectors> bias[kBlocks];
  Units<kVectors> diagonal[kBlocks];
};

template <int kBlock, int kVectors>
HWY_INLINE void LoadBlockSums(const CellParameters& cell, const float* sums, size_t at,
                              GradientSums<kVectors>& loaded) {
  const CellBlock& block = cell.blocks[kBlock];
  loaded.bias[kBlock] = block.bias_sum < 0 || block.fixed != nullptr
                            ? ZeroUnits<kVectors>()
                            : LoadUnits<kVectors>(sums + static_cast<size_t>(block.bias_sum) * cell.padded + at);
  loaded.diagonal[kBlock] =
      block.diagonal_sum < 0 ? ZeroUnits<kVectors>()
                             : LoadUnits<kVectors>(sums + static_cast<size_t>(block.diagonal_sum) * cell.padded + at);
}

template <int kVectors>
HWY_INLINE void LoadSums(const CellParameters& cell, const float* sums, size_t at, GradientSums<kVectors>& loaded) {
  LoadBlockSums<kInputGate>(cell, sums, at, loaded);
  LoadBlockSums<kForgetGate>(cell, sums, at, loaded);
  LoadBlockSums<kCandidate>(cell, sums, at, loaded);
  LoadBlockSums<kOutputGate>(cell, sums, at, loaded);
}

template <int kBlock, int kVectors>
HWY_INLINE void StoreBlockSums(const CellParameters& cell, const GradientSums<kVectors>& sums, size_t at, float* to) {
  const CellBlock& block = cell.blocks[kBlock];
  if (block.bias_sum >= 0) {
    float* bias = to + static_cast<size_t>(block.bias_sum) * cell.padded + at;
    Units<kVectors> sum = sums.bias[kBlock];
    if (block.fixed != nullptr) {
      const Units<kVectors> value = LoadUnits<kVectors>(block.fixed + at);
      sum = LoadUnits<kVectors>(bias) + GateSlope(cell.gate_activation, value, sum);
    }
    StoreUnits(sum, bias);
  }
  if (block.diagonal_sum >= 0) {
    StoreUnits(sums.diagonal[kBlock], to + static_cast<size_t>(block.diagonal_sum) * cell.padded + at);
  }
}

template <int kVectors>
HWY_INLINE void StoreSums(const CellParameters& cell, const GradientSums<kVectors>& sums, size_t at, float* to) {
  StoreBlockSums<kInputGate>(cell, sums, at, to);
  StoreBlockSums<kForgetGate>(cell, sums, at, to);
  StoreBlockSums<kCandidate>(cell, sums, at, to);
  StoreBlockSums<kOutputGate>(cell, sums, at, to);
}

// The value of a block as the forward pass had it.
template <int kVectors>
HWY_INLINE Units<kVectors> PastValue(const CellParameters& cell, const CellBlock& block,
                                     const BackwardOperands& operands, size_t at, Units<kVectors> h_before) {
  if (block.fixed != nullptr) return LoadUnits<kVectors>(block.fixed + at);
  if (block.kept >= 0) return LoadUnits<kVectors>(operands.kept + static_cast<size_t>(block.kept) * cell.padded + at);
  const ForwardOperands forward = {nullptr, 0, 0, nullptr, operands.diagonals};
  return ActivateGate(cell.gate_activation, PreActivation<kVectors>(cell, block, forward, at, h_before));
}

// Takes the gradient of a block's pre-activation to where it belongs: kept for the products, summed for bias and
// diagonal, and into dh of the state before.
template <int kVectors, int kBlock>
HWY_INLINE void SpreadGradient(const CellParameters& cell, const BackwardOperands& operands, size_t at,
                               Units<kVectors> da, Units<kVectors> h_before, Units<kVectors>& dh_before,
                               GradientSums<kVectors>& sums) {
  const CellBlock& block = cell.blocks[kBlock];
  if (block.kept >= 0) StoreUnits(da, operands.kept + static_cast<size_t>(block.kept) * cell.padded + at);
  if (block.bias_sum >= 0) sums.bias[kBlock] = sums.bias[kBlock] + da;
  if (block.diagonal >= 0) {
    const size_t place = static_cast<size_t>(block.diagonal) * cell.padded + at;
    dh_before = MultiplyAddUnits(LoadUnits<kVectors>(operands.diagonals + place), da, dh_before);
    Units<kVectors> seen = h_before;
    if (operands.diagonal_factors != nullptr) seen = seen * LoadUnits<kVectors>(operands.diagonal_factors + place);
    sums.diagonal[kBlock] = MultiplyAddUnits(da, seen, sums.diagonal[kBlock]);
  }
}

// The same of a gate whose value's gradient is x * y.
template <int kVectors, int kBlock>
HWY_INLINE void SpreadGateGradient(const CellParameters& cell, const BackwardOperands& operands, size_t at,
                                   Units<kVectors> value, Units<kVectors> x, Units<kVectors> y,
                                   Units<kVectors> h_before, Units<kVectors>& dh_before, GradientSums<kVectors>& sums) {
  const CellBlock& block = cell.blocks[kBlock];
  if (block.fixed != nullptr) {
    if (block.bias_sum >= 0) sums.bias[kBlock] = MultiplyAddUnits(x, y, sums.bias[kBlock]);
    return;
  }
  const Units<kVectors> da = GateSlope(cell.gate_activation, value, x * y);
  SpreadGradient<kVectors, kBlock>(cell, operands, at, da, h_before, dh_before, sums);
}

// From dc, with what came through h in it, and what the output gate is multiplied by, with the gradient of h: the
// gradients of all blocks and of the state before. dh, that of the state after, becomes that of h before but for the
// full recurrent products, dc that of c before.
template <int kVectors>
HWY_INLINE void SpreadGradients(const CellParameters& cell, const BackwardOperands& operands, size_t at,
                                Units<kVectors> h_before, Units<kVectors> c_before, Units<kVectors> input,
                                Units<kVectors> forget, Units<kVectors> candidate, Units<kVectors> da_candidate,
                                Units<kVectors> output, Units<kVectors> activated, Units<kVectors>& dh,
                                Units<kVectors>& dc, GradientSums<kVectors>& sums) {
  const Units<kVectors> dh_after = dh;
  dh = ZeroUnits<kVectors>();
  SpreadGradient<kVectors, kCandidate>(cell, operands, at, da_candidate, h_before, dh, sums);
  SpreadGateGradient<kVectors, kInputGate>(cell, operands, at, input, dc, candidate, h_before, dh, sums);
  SpreadGateGradient<kVectors, kForgetGate>(cell, operands, at, forget, dc, c_before, h_before, dh, sums);
  SpreadGateGradient<kVectors, kOutputGate>(cell, operands, at, output, dh_after, activated, h_before, dh, sums);
  dc = dc * forget;
}

// dh and dc hold the gradients of the state after the step and get those of the state before it (see SpreadGradients).
template <int kVectors>
HWY_INLINE void BackwardUnits(const CellParameters& cell, const BackwardOperands& operands, size_t at,
                              Units<kVectors> h_before, Units<kVectors> c_before, Units<kVectors> c_after,
                              Units<kVectors>& dh, Units<kVectors>& dc, GradientSums<kVectors>& sums) {
  const Units<kVectors> output = PastValue(cell, cell.blocks[kOutputGate], operands, at, h_before);
  const Units<kVectors> activated = ActivateUnits(cell.activation, c_after);
  dc = dc + SlopeUnits(cell.activation, activated, dh * output);
  const Units<kVectors> candidate = PastValue(cell, cell.blocks[kCandidate], operands, at, h_before);
  const Units<kVectors> input = PastValue(cell, cell.blocks[kInputGate], operands, at, h_before);
  const Units<kVectors> forget = PastValue(cell, cell.blocks[kForgetGate], operands, at, h_before);
  const Units<kVectors> da_candidate = SlopeUnits(cell.activation, candidate, dc * input);
  SpreadGradients(cell, operands, at, h_before, c_before, input, forget, candidate, da_candidate, output, activated, dh,
                  dc, sums);
}

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // SLIM_CPU_RECURRENCE_CELL_INL_H_
