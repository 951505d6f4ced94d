// The turns of a scan for the cells that the published scan variants have: tanh, sigmoid, gates that see u (.) h + b
// alone or are constant, and a candidate of x W + u (.) h + b. Which gates are constant is settled when this is
// compiled, so that a turn is one run of arithmetic; all other cells take the general path of recurrence_cell-inl.h,
// which asks at every term. What the formulas are: cell.h.

#if defined(SLIM_CPU_RECURRENCE_SCAN_CELL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLIM_CPU_RECURRENCE_SCAN_CELL_INL_H_
#undef SLIM_CPU_RECURRENCE_SCAN_CELL_INL_H_
#else
#define SLIM_CPU_RECURRENCE_SCAN_CELL_INL_H_
#endif

#include "cpu/recurrence_steps.h"
#include "cpu/recurrence_units-inl.h"

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {

// What is settled about the gates when a kernel is compiled: which of them change from turn to turn, and whether these
// stay within kSigmoidBound, so that they need not be held within it.
struct ScanGates {
  bool input, forget, output;
  bool bounded = false;
  constexpr bool Move(int block) const {
    return block == kInputGate ? input : block == kForgetGate ? forget : block == kOutputGate && output;
  }
};

// Whether the cell is one of those told above.
inline bool IsScanCell(const CellParameters& cell) {
  const CellBlock& candidate = cell.blocks[kCandidate];
  if (cell.activation != Activation::kTanh || cell.gate_activation != Activation::kSigmoid) return false;
  if (candidate.fixed != nullptr || candidate.input < 0 || candidate.diagonal < 0) return false;
  for (const int gate : {kInputGate, kForgetGate, kOutputGate}) {
    const CellBlock& block = cell.blocks[gate];
    if (block.fixed != nullptr ? block.bias_sum >= 0 : block.input >= 0 || block.diagonal < 0) return false;
  }
  return true;
}

// Whether |u (.) h + b| of the gates stays within bounds for these units: |h| is at most that of the output gate.
HWY_INLINE bool AreBounded(const CellParameters& cell, const float* diagonals, size_t first_unit, size_t units) {
  const float* output = cell.blocks[kOutputGate].fixed;
  // Not quite the bound, for the sake of what is rounded off on the way.
  const Floats bound = hn::Set(kFloats, 0.99f * kSigmoidBound);
  for (const int gate : {kInputGate, kForgetGate, kOutputGate}) {
    const CellBlock& block = cell.blocks[gate];
    if (block.fixed != nullptr) continue;
    const float* diagonal = diagonals + static_cast<size_t>(block.diagonal) * cell.padded;
    for (size_t at = first_unit; at < first_unit + units; at += kLanes) {
      const Floats h = output == nullptr ? hn::Set(kFloats, 1.0f) : hn::Abs(hn::Load(kFloats, output + at));
      const Floats b = block.bias == nullptr ? hn::Zero(kFloats) : hn::Abs(hn::Load(kFloats, block.bias + at));
      const Floats most = hn::MulAdd(hn::Abs(hn::Load(kFloats, diagonal + at)), h, b);
      if (!hn::AllTrue(kFloats, hn::Lt(most, bound))) return false;
    }
  }
  return true;
}

// All that can change, and once more those that all change, within bounds, as trained gates do.
inline constexpr ScanGates kScanGates[] = {{false, false, false}, {true, false, false}, {false, true, false},
                                           {true, true, false},   {false, false, true}, {true, false, true},
                                           {false, true, true},   {true, true, true},   {true, true, true, true}};
inline constexpr size_t kAllChange = 7;

// Of the gates of these units among those above.
HWY_INLINE size_t NumberOfGates(const CellParameters& cell, const float* diagonals, size_t first_unit, size_t units) {
  const auto changes = [&](int gate) HWY_ATTR { return size_t{cell.blocks[gate].fixed == nullptr}; };
  const size_t number = changes(kInputGate) + 2 * changes(kForgetGate) + 4 * changes(kOutputGate);
  return number + (number == kAllChange && AreBounded(cell, diagonals, first_unit, units));
}

// What some units have of each block: u and b, or in place of b the value of a constant gate.
template <int kVectors>
struct ScanWeights {
  Units<kVectors> diagonal[kBlocks];
  Units<kVectors> bias[kBlocks];
};

template <ScanGates kGates, int kVectors>
HWY_INLINE ScanWeights<kVectors> LoadWeights(const CellParameters& cell, const float* diagonals, size_t at) {
  ScanWeights<kVectors> weights;
  HWY_UNROLL(4)
  for (int k = 0; k < kBlocks; ++k) {
    const CellBlock& block = cell.blocks[k];
    if (k != kCandidate && !kGates.Move(k)) {
      weights.bias[k] = LoadUnits<kVectors>(block.fixed + at);
      continue;
    }
    weights.diagonal[k] = LoadUnits<kVectors>(diagonals + static_cast<size_t>(block.diagonal) * cell.padded + at);
    weights.bias[k] = block.bias != nullptr ? LoadUnits<kVectors>(block.bias + at) : ZeroUnits<kVectors>();
  }
  return weights;
}

template <ScanGates kGates, int kGate, int kVectors>
HWY_INLINE Units<kVectors> ScanGate(const ScanWeights<kVectors>& weights, Units<kVectors> h_before) {
  if constexpr (!kGates.Move(kGate)) return weights.bias[kGate];
  const Units<kVectors> a = MultiplyAddUnits(weights.diagonal[kGate], h_before, weights.bias[kGate]);
  if constexpr (kGates.bounded) return MapUnits([](Floats v) HWY_ATTR { return SigmoidWithinBound(v); }, a);
  return MapUnits([](Floats v) HWY_ATTR { return Sigmoid(v); }, a);
}

template <int kVectors>
HWY_INLINE Units<kVectors> TanhUnits(Units<kVectors> x) {
  return MapUnits([](Floats v) HWY_ATTR { return Tanh(v); }, x);
}

// h and c become those after the turn; returns the candidate.
template <ScanGates kGates, int kVectors>
HWY_INLINE Units<kVectors> ScanForwardUnits(const ScanWeights<kVectors>& weights, Units<kVectors> input_products,
                                            Units<kVectors>& h, Units<kVectors>& c) {
  const Units<kVectors> input = ScanGate<kGates, kInputGate>(weights, h);
  const Units<kVectors> forget = ScanGate<kGates, kForgetGate>(weights, h);
  const Units<kVectors> output = ScanGate<kGates, kOutputGate>(weights, h);
  const Units<kVectors> a = MultiplyAddUnits(weights.diagonal[kCandidate], h, weights.bias[kCandidate]);
  const Units<kVectors> candidate = TanhUnits(a + input_products);
  c = MultiplyAddUnits(forget, c, input * candidate);
  h = output * TanhUnits(c);
  return candidate;
}

// Sums over turns of the gradients of u and b.
template <int kVectors>
struct ScanSums {
  Units<kVectors> diagonal[kBlocks];
  Units<kVectors> bias[kBlocks];
};

template <int kVectors>
HWY_INLINE void ClearScanSums(ScanSums<kVectors>& sums) {
  HWY_UNROLL(4)
  for (int k = 0; k < kBlocks; ++k) sums.diagonal[k] = sums.bias[k] = ZeroUnits<kVectors>();
}

// Adds the sums of some turns of a sequence to those of its group; `factors` of dropout, or null, multiply what u saw
// of h.
template <ScanGates kGates, int kVectors>
HWY_INLINE void AddScanSums(const CellParameters& cell, const ScanSums<kVectors>& sums, const float* factors, size_t at,
                            float* to) {
  HWY_UNROLL(4)
  for (int k = 0; k < kBlocks; ++k) {
    if (k != kCandidate && !kGates.Move(k)) continue;
    const CellBlock& block = cell.blocks[k];
    if (block.bias_sum >= 0) {
      float* bias = to + static_cast<size_t>(block.bias_sum) * cell.padded + at;
      StoreUnits(LoadUnits<kVectors>(bias) + sums.bias[k], bias);
    }
    float* diagonal = to + static_cast<size_t>(block.diagonal_sum) * cell.padded + at;
    Units<kVectors> seen = sums.diagonal[k];
    if (factors != nullptr) {
      seen = seen * LoadUnits<kVectors>(factors + static_cast<size_t>(block.diagonal) * cell.padded + at);
    }
    StoreUnits(LoadUnits<kVectors>(diagonal) + seen, diagonal);
  }
}

template <int kBlock, int kVectors>
HWY_INLINE void SpreadScanGradient(const ScanWeights<kVectors>& weights, Units<kVectors> da, Units<kVectors> h_before,
                                   Units<kVectors>& dh_before, ScanSums<kVectors>& sums) {
  dh_before = MultiplyAddUnits(weights.diagonal[kBlock], da, dh_before);
  sums.diagonal[kBlock] = MultiplyAddUnits(da, h_before, sums.diagonal[kBlock]);
  sums.bias[kBlock] = sums.bias[kBlock] + da;
}

// dh and dc hold the gradients of the state after the turn and get those of the state before it; returns the gradient
// of the candidate's pre-activation.
template <ScanGates kGates, int kVectors>
HWY_INLINE Units<kVectors> ScanBackwardUnits(const ScanWeights<kVectors>& weights, Units<kVectors> h_before,
                                             Units<kVectors> c_before, Units<kVectors> c_after,
                                             Units<kVectors> candidate, Units<kVectors>& dh, Units<kVectors>& dc,
                                             ScanSums<kVectors>& sums) {
  constexpr Activation kTanh = Activation::kTanh, kSigmoid = Activation::kSigmoid;
  const Units<kVectors> output = ScanGate<kGates, kOutputGate>(weights, h_before);
  const Units<kVectors> activated = TanhUnits(c_after);
  const Units<kVectors> input = ScanGate<kGates, kInputGate>(weights, h_before);
  const Units<kVectors> forget = ScanGate<kGates, kForgetGate>(weights, h_before);
  const Units<kVectors> doutput = dh * activated;
  dc = dc + SlopeUnits(kTanh, activated, dh * output);
  const Units<kVectors> da = SlopeUnits(kTanh, candidate, dc * input);
  dh = weights.diagonal[kCandidate] * da;
  sums.diagonal[kCandidate] = MultiplyAddUnits(da, h_before, sums.diagonal[kCandidate]);
  sums.bias[kCandidate] = sums.bias[kCandidate] + da;
  if constexpr (kGates.Move(kInputGate)) {
    const Units<kVectors> da_gate = GateSlope(kSigmoid, input, dc * candidate);
    SpreadScanGradient<kInputGate>(weights, da_gate, h_before, dh, sums);
  }
  if constexpr (kGates.Move(kForgetGate)) {
    const Units<kVectors> da_gate = GateSlope(kSigmoid, forget, dc * c_before);
    SpreadScanGradient<kForgetGate>(weights, da_gate, h_before, dh, sums);
  }
  if constexpr (kGates.Move(kOutputGate)) {
    const Units<kVectors> da_gate = GateSlope(kSigmoid, output, doutput);
    SpreadScanGradient<kOutputGate>(weights, da_gate, h_before, dh, sums);
  }
  dc = dc * forget;
  return da;
}

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // SLIM_CPU_RECURRENCE_SCAN_CELL_INL_H_
