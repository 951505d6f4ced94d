// The turns of a scan for the cells that the published scan variants have: tanh, sigmoid, gates that see u (.) h + b
// alone or are constant, and a candidate of x W + u (.) h + b. Which gates are constant is settled when this is
// compiled, so that a turn is one run of arithmetic; all other cells take the general path of recurrence_cell-inl.h,
// which asks at every term. What the formulas are: cell.h.
//
// Multiplications bound these turns, so the formulas are rearranged to have few of them:
//
//   i, f, o     are 1 / I, 1 / F, 1 / O with I = 1 + e^-a, whose scale u and b have taken up
//   c           = (c I + g F) / (I F), h = (e - 1) / ((e + 1) O) with e = e^2c: two divisions, not four
//   tanh(c)     is h O in the backward pass, where h of after the turn is known
//   da          = p - p i with p = dc g i, and likewise of the other gates

#if defined(SLIM_CPU_RECURRENCE_SCAN_CELL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLIM_CPU_RECURRENCE_SCAN_CELL_INL_H_
#undef SLIM_CPU_RECURRENCE_SCAN_CELL_INL_H_
#else
#define SLIM_CPU_RECURRENCE_SCAN_CELL_INL_H_
#endif

#include <cmath>

#include "cpu/recurrence_steps.h"
#include "cpu/recurrence_units-inl.h"

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {

// Which gates change from turn to turn, settled when a kernel is compiled.
struct ScanGates {
  bool input, forget, output;
  constexpr bool Change(int block) const {
    return block == kInputGate ? input : block == kForgetGate ? forget : block == kOutputGate && output;
  }
};

inline constexpr ScanGates kScanGates[] = {{false, false, false}, {true, false, false}, {false, true, false},
                                           {true, true, false},   {false, false, true}, {true, false, true},
                                           {false, true, true},   {true, true, true}};

// The number among those above of the gates of a cell told above.
inline size_t NumberOfGates(const CellParameters& cell) {
  const auto changes = [&](int gate) { return size_t{cell.blocks[gate].fixed == nullptr}; };
  return changes(kInputGate) + 2 * changes(kForgetGate) + 4 * changes(kOutputGate);
}

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

// |a| of gates up to which products of their denominators, and of these with c, stay far within the range of floats.
inline constexpr float kGateBound = 30.0f;
// Below it a constant output gate leaves too little of tanh(c) in h.
inline constexpr float kLeastOutput = 1e-13f;

// Whether |u (.) h + b| of the gates stays within the bound for these units, |h| being at most that of the output gate,
// and whether that is not too small. Trained gates are far from either.
HWY_INLINE bool AreBounded(const CellParameters& cell, const float* diagonals, size_t first_unit, size_t units) {
  const float* output = cell.blocks[kOutputGate].fixed;
  // Not quite the bound, for the sake of what is rounded off on the way.
  const Floats bound = hn::Set(kFloats, 0.99f * kGateBound);
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
  if (output == nullptr) return true;
  for (size_t at = first_unit; at < first_unit + units; ++at) {
    if (!(std::fabs(output[at]) >= kLeastOutput)) return false;
  }
  return true;
}

// What some units have: of a block that changes u, and u and b times the scale of its activation; of a constant gate
// its value, and where that is the output gate the inverse, too.
template <int kVectors>
struct ScanWeights {
  Units<kVectors> diagonal[kBlocks];
  Units<kVectors> scaled_diagonal[kBlocks];
  Units<kVectors> scaled_bias[kBlocks];
  Units<kVectors> constant[kBlocks];
  Units<kVectors> inverse_output;
};

template <ScanGates kGates, int kVectors>
HWY_INLINE ScanWeights<kVectors> LoadWeights(const CellParameters& cell, const float* diagonals, size_t at) {
  ScanWeights<kVectors> weights;
  HWY_UNROLL(4)
  for (int k = 0; k < kBlocks; ++k) {
    const CellBlock& block = cell.blocks[k];
    if (k != kCandidate && !kGates.Change(k)) {
      weights.constant[k] = LoadUnits<kVectors>(block.fixed + at);
      continue;
    }
    const Units<kVectors> scale = SetUnits<kVectors>(hn::Set(kFloats, k == kCandidate ? kTanhScale : kSigmoidScale));
    weights.diagonal[k] = LoadUnits<kVectors>(diagonals + static_cast<size_t>(block.diagonal) * cell.padded + at);
    weights.scaled_diagonal[k] = weights.diagonal[k] * scale;
    weights.scaled_bias[k] =
        block.bias != nullptr ? LoadUnits<kVectors>(block.bias + at) * scale : ZeroUnits<kVectors>();
  }
  if constexpr (!kGates.output) {
    weights.inverse_output = SetUnits<kVectors>(hn::Set(kFloats, 1.0f)) / weights.constant[kOutputGate];
  }
  return weights;
}

// I, F or O of above; of a constant gate its value.
template <ScanGates kGates, int kGate, int kVectors>
HWY_INLINE Units<kVectors> GateTerm(const ScanWeights<kVectors>& weights, Units<kVectors> h_before) {
  if constexpr (!kGates.Change(kGate)) return weights.constant[kGate];
  const Units<kVectors> t = MultiplyAddUnits(weights.scaled_diagonal[kGate], h_before, weights.scaled_bias[kGate]);
  return MapUnits([](Floats v) HWY_ATTR { return SigmoidDenominator(v); }, t);
}

template <int kVectors>
struct UnitsFraction {
  Units<kVectors> numerator, denominator;
};

template <int kVectors>
HWY_INLINE UnitsFraction<kVectors> TanhUnits(Units<kVectors> t) {
  if constexpr (kVectors == 1) {
    const Fraction fraction = TanhFraction(t.v);
    return {{fraction.numerator}, {fraction.denominator}};
  } else {
    const UnitsFraction<kVectors / 2> low = TanhUnits(t.low), high = TanhUnits(t.high);
    return {{low.numerator, high.numerator}, {low.denominator, high.denominator}};
  }
}

// h and c become those after the turn; returns the candidate.
template <ScanGates kGates, int kVectors>
HWY_INLINE Units<kVectors> ScanForwardUnits(const ScanWeights<kVectors>& weights, Units<kVectors> input_products,
                                            Units<kVectors>& h, Units<kVectors>& c) {
  const Units<kVectors> tanh_scale = SetUnits<kVectors>(hn::Set(kFloats, kTanhScale)), h_before = h;
  const Units<kVectors> recurrent =
      MultiplyAddUnits(weights.scaled_diagonal[kCandidate], h_before, weights.scaled_bias[kCandidate]);
  const UnitsFraction<kVectors> fraction = TanhUnits(MultiplyAddUnits(input_products, tanh_scale, recurrent));
  const Units<kVectors> candidate = fraction.numerator / fraction.denominator;
  const Units<kVectors> input = GateTerm<kGates, kInputGate>(weights, h_before);
  const Units<kVectors> forget = GateTerm<kGates, kForgetGate>(weights, h_before);
  const Units<kVectors> output = GateTerm<kGates, kOutputGate>(weights, h_before);
  if constexpr (kGates.input && kGates.forget) {
    c = MultiplyAddUnits(c, input, candidate * forget) / (input * forget);
  } else if constexpr (kGates.input) {
    c = MultiplyAddUnits(forget, c, candidate / input);
  } else if constexpr (kGates.forget) {
    c = MultiplyAddUnits(input, candidate, c / forget);
  } else {
    c = MultiplyAddUnits(forget, c, input * candidate);
  }
  const UnitsFraction<kVectors> activated = TanhUnits(c * tanh_scale);
  if constexpr (kGates.output) {
    h = activated.numerator / (activated.denominator * output);
  } else {
    h = output * activated.numerator / activated.denominator;
  }
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
    if (k != kCandidate && !kGates.Change(k)) continue;
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

// The inverses of two denominators.
template <int kVectors>
HWY_INLINE void InvertBoth(Units<kVectors>& a, Units<kVectors>& b) {
  const Units<kVectors> inverse = SetUnits<kVectors>(hn::Set(kFloats, 1.0f)) / (a * b);
  const Units<kVectors> inverse_of_a = inverse * b;
  b = inverse * a;
  a = inverse_of_a;
}

// dh and dc hold the gradients of the state after the turn and get those of the state before it; returns the gradient
// of the candidate's pre-activation.
template <ScanGates kGates, int kVectors>
HWY_INLINE Units<kVectors> ScanBackwardUnits(const ScanWeights<kVectors>& weights, Units<kVectors> h_before,
                                             Units<kVectors> c_before, Units<kVectors> h_after,
                                             Units<kVectors> candidate, Units<kVectors>& dh, Units<kVectors>& dc,
                                             ScanSums<kVectors>& sums) {
  const Units<kVectors> one = SetUnits<kVectors>(hn::Set(kFloats, 1.0f));
  Units<kVectors> input = GateTerm<kGates, kInputGate>(weights, h_before);
  Units<kVectors> forget = GateTerm<kGates, kForgetGate>(weights, h_before);
  Units<kVectors> output = GateTerm<kGates, kOutputGate>(weights, h_before);
  Units<kVectors> activated;
  if constexpr (kGates.output) {
    activated = h_after * output;
    output = one / output;
  } else {
    activated = h_after * weights.inverse_output;
  }
  if constexpr (kGates.input && kGates.forget) {
    InvertBoth(input, forget);
  } else if constexpr (kGates.input) {
    input = one / input;
  } else if constexpr (kGates.forget) {
    forget = one / forget;
  }
  const Units<kVectors> through_output = dh * h_after;
  // o (1 - tanh(c)^2) = o - h tanh(c)
  dc = MultiplyAddUnits(dh, SubtractProductUnits(output, h_after, activated), dc);
  const Units<kVectors> dvalue = dc * input;
  const Units<kVectors> da = dvalue * SubtractProductUnits(one, candidate, candidate);
  dc = dc * forget;
  dh = weights.diagonal[kCandidate] * da;
  sums.diagonal[kCandidate] = MultiplyAddUnits(da, h_before, sums.diagonal[kCandidate]);
  sums.bias[kCandidate] = sums.bias[kCandidate] + da;
  const auto spread = [&]<int kGate>(Units<kVectors> value, Units<kVectors> product) HWY_ATTR {
    SpreadScanGradient<kGate>(weights, SubtractProductUnits(product, product, value), h_before, dh, sums);
  };
  if constexpr (kGates.input) spread.template operator()<kInputGate>(input, dvalue * candidate);
  if constexpr (kGates.forget) spread.template operator()<kForgetGate>(forget, dc * c_before);
  if constexpr (kGates.output) spread.template operator()<kOutputGate>(output, through_output);
  return da;
}

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // SLIM_CPU_RECURRENCE_SCAN_CELL_INL_H_
