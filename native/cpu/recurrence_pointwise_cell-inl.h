// The cells whose gates are pointwise, as those of most published variants: tanh, sigmoid, gates that see u (.) h + b
// or b alone or are constant, and a candidate of x W + b with h U or u (.) h. Which terms there are is settled when
// this is compiled, so that a turn is one run of arithmetic; all other cells take the general path of
// recurrence_cell-inl.h, which asks at every term. What the formulas are: cell.h.
//
// Multiplications bound these turns, so the formulas are rearranged to have few of them:
//
//   i, f, o     are 1 / I, 1 / F, 1 / O with I = 1 + e^-a, whose scale u and b have taken up
//   c           = (c I + g F) / (I F), h = (e - 1) / ((e + 1) O) with e = e^2c: two divisions, not four
//   tanh(c)     is h O in the backward pass, where h of after the turn is known
//   da          = p - p i with p = dc g i, and likewise of the other gates

#if defined(SLIM_CPU_RECURRENCE_POINTWISE_CELL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLIM_CPU_RECURRENCE_POINTWISE_CELL_INL_H_
#undef SLIM_CPU_RECURRENCE_POINTWISE_CELL_INL_H_
#else
#define SLIM_CPU_RECURRENCE_POINTWISE_CELL_INL_H_
#endif

#include <utility>

#include "cpu/recurrence_steps.h"
#include "cpu/recurrence_units-inl.h"

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {

// Which blocks see u (.) h. The gates that do not are fixed: constant or, where fixed_biases is true, of a bias that is
// learnt, some of them at least.
struct PointwiseTerms {
  bool input, forget, candidate, output;
  bool fixed_biases;

  constexpr bool HasDiagonal(int block) const {
    return block == kInputGate    ? input
           : block == kForgetGate ? forget
           : block == kCandidate  ? candidate
                                  : block == kOutputGate && output;
  }
  constexpr bool Has(int block) const { return block == kCandidate || HasDiagonal(block); }
  // The forward pass does not ask where a fixed value is from.
  constexpr PointwiseTerms Forward() const { return {input, forget, candidate, output, false}; }
};

// Choices of gates have numbers, below kGateChoices where a cell can have them.
inline constexpr size_t kGateChoices = 15;
constexpr PointwiseTerms TermsOfNumber(size_t number, bool candidate) {
  return {(number & 1) != 0, (number & 2) != 0, candidate, (number & 4) != 0, (number & 8) != 0};
}
inline size_t NumberOfGates(const CellParameters& cell) {
  const auto terms = [&](int gate, size_t diagonal) {
    const CellBlock& block = cell.blocks[gate];
    return block.fixed == nullptr ? diagonal : block.bias_sum >= 0 ? size_t{8} : size_t{0};
  };
  return terms(kInputGate, 1) | terms(kForgetGate, 2) | terms(kOutputGate, 4);
}

// Whether the cell is one of those told above but for its candidate.
inline bool HasPointwiseGates(const CellParameters& cell) {
  if (cell.activation != Activation::kTanh || cell.gate_activation != Activation::kSigmoid) return false;
  for (const int gate : {kInputGate, kForgetGate, kOutputGate}) {
    const CellBlock& block = cell.blocks[gate];
    if (block.fixed == nullptr && (block.input >= 0 || block.full >= 0 || block.diagonal < 0)) return false;
  }
  return true;
}

// Calls run.template operator()<kTerms>() with the terms of the cell, whose candidate sees u (.) h as kCandidate tells;
// returns false where the cell takes the general path. Targets without fused multiply-adds have no other: differences
// of products would lose their digits there.
template <bool kCandidate, class Run>
HWY_INLINE bool WithPointwiseTerms(const CellParameters& cell, const Run& run) {
  if constexpr (HWY_NATIVE_FMA) {
    if (!cell.bounded_gates || !HasPointwiseGates(cell)) return false;
    const size_t number = NumberOfGates(cell);
    const auto among = [&]<size_t... kNumbers>(std::index_sequence<kNumbers...>) HWY_ATTR {
      return ((number == kNumbers && (run.template operator()<TermsOfNumber(kNumbers, kCandidate)>(), true)) || ...);
    };
    return among(std::make_index_sequence<kGateChoices>());
  }
  return false;
}

// What some units have: of a block that is not fixed u, and u and b times the scale of its activation; of a fixed gate
// its value, and where that is the output gate the inverse, too.
template <int kVectors>
struct PointwiseWeights {
  Units<kVectors> diagonal[kBlocks];
  Units<kVectors> scaled_diagonal[kBlocks];
  Units<kVectors> scaled_bias[kBlocks];
  Units<kVectors> fixed[kBlocks];
  Units<kVectors> inverse_output;
};

// That of the activation of a block.
template <int kVectors>
HWY_INLINE Units<kVectors> ScaleOf(int block) {
  return SetUnits<kVectors>(hn::Set(kFloats, block == kCandidate ? kTanhScale : kSigmoidScale));
}

// Those of u alone.
template <PointwiseTerms kTerms, int kVectors>
HWY_INLINE void LoadDiagonals(const CellParameters& cell, const float* diagonals, size_t at,
                              PointwiseWeights<kVectors>& weights) {
  HWY_UNROLL(4)
  for (int k = 0; k < kBlocks; ++k) {
    if (!kTerms.HasDiagonal(k)) continue;
    const size_t place = static_cast<size_t>(cell.blocks[k].diagonal) * cell.padded + at;
    weights.diagonal[k] = LoadUnits<kVectors>(diagonals + place);
    weights.scaled_diagonal[k] = weights.diagonal[k] * ScaleOf<kVectors>(k);
  }
}

template <PointwiseTerms kTerms, int kVectors>
HWY_INLINE PointwiseWeights<kVectors> LoadWeights(const CellParameters& cell, const float* diagonals, size_t at) {
  PointwiseWeights<kVectors> weights;
  LoadDiagonals<kTerms>(cell, diagonals, at, weights);
  HWY_UNROLL(4)
  for (int k = 0; k < kBlocks; ++k) {
    const CellBlock& block = cell.blocks[k];
    if (!kTerms.Has(k)) {
      weights.fixed[k] = LoadUnits<kVectors>(block.fixed + at);
    } else if (block.bias != nullptr) {
      weights.scaled_bias[k] = LoadUnits<kVectors>(block.bias + at) * ScaleOf<kVectors>(k);
    } else {
      weights.scaled_bias[k] = ZeroUnits<kVectors>();
    }
  }
  if constexpr (!kTerms.output) {
    weights.inverse_output = SetUnits<kVectors>(hn::Set(kFloats, 1.0f)) / weights.fixed[kOutputGate];
  }
  return weights;
}

// I, F or O of above; of a fixed gate its value.
template <PointwiseTerms kTerms, int kGate, int kVectors>
HWY_INLINE Units<kVectors> GateTerm(const PointwiseWeights<kVectors>& weights, Units<kVectors> h_before) {
  if constexpr (!kTerms.HasDiagonal(kGate)) return weights.fixed[kGate];
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

// A turn in its middle: c of after it is next / divisor, or next alone where not both gates of c see h.
template <int kVectors>
struct BegunTurn {
  Units<kVectors> candidate;
  Units<kVectors> next;
  Units<kVectors> divisor;
  Units<kVectors> output;  // O, or the value where it is fixed
};

// From the state before the turn; `products` are x W, and h U where the candidate has it.
template <PointwiseTerms kTerms, int kVectors>
HWY_INLINE BegunTurn<kVectors> BeginTurn(const PointwiseWeights<kVectors>& weights, Units<kVectors> products,
                                         Units<kVectors> h, Units<kVectors> c) {
  BegunTurn<kVectors> turn;
  Units<kVectors> own = weights.scaled_bias[kCandidate];
  if constexpr (kTerms.candidate) own = MultiplyAddUnits(weights.scaled_diagonal[kCandidate], h, own);
  const UnitsFraction<kVectors> fraction = TanhUnits(MultiplyAddUnits(products, ScaleOf<kVectors>(kCandidate), own));
  turn.candidate = fraction.numerator / fraction.denominator;
  const Units<kVectors> input = GateTerm<kTerms, kInputGate>(weights, h);
  const Units<kVectors> forget = GateTerm<kTerms, kForgetGate>(weights, h);
  turn.output = GateTerm<kTerms, kOutputGate>(weights, h);
  if constexpr (kTerms.input && kTerms.forget) {
    turn.next = MultiplyAddUnits(c, input, turn.candidate * forget);
    turn.divisor = input * forget;
  } else if constexpr (kTerms.input) {
    turn.next = MultiplyAddUnits(forget, c, turn.candidate / input);
  } else if constexpr (kTerms.forget) {
    turn.next = MultiplyAddUnits(input, turn.candidate, c / forget);
  } else {
    turn.next = MultiplyAddUnits(forget, c, input * turn.candidate);
  }
  return turn;
}

// h and c become those after the turn.
template <PointwiseTerms kTerms, int kVectors>
HWY_INLINE void FinishTurn(const BegunTurn<kVectors>& turn, Units<kVectors>& h, Units<kVectors>& c) {
  c = turn.next;
  if constexpr (kTerms.input && kTerms.forget) c = c / turn.divisor;
  const UnitsFraction<kVectors> activated = TanhUnits(c * ScaleOf<kVectors>(kCandidate));
  if constexpr (kTerms.output) {
    h = activated.numerator / (activated.denominator * turn.output);
  } else {
    h = turn.output * activated.numerator / activated.denominator;
  }
}

// Sums over turns of the gradients of u and b. That of the bias of a fixed gate leaves out 1 - the gate's value, which
// all turns share, until it is added to others.
template <int kVectors>
struct PointwiseSums {
  Units<kVectors> diagonal[kBlocks];
  Units<kVectors> bias[kBlocks];
};

template <int kVectors>
HWY_INLINE void ClearSums(PointwiseSums<kVectors>& sums) {
  HWY_UNROLL(4)
  for (int k = 0; k < kBlocks; ++k) sums.diagonal[k] = sums.bias[k] = ZeroUnits<kVectors>();
}

// Adds the sums of some turns to those of the group of their sequences; `factors` of dropout, or null, multiply what u
// saw of h.
template <PointwiseTerms kTerms, int kVectors>
HWY_INLINE void AddSums(const CellParameters& cell, const PointwiseSums<kVectors>& sums, const float* factors,
                        size_t at, float* to) {
  HWY_UNROLL(4)
  for (int k = 0; k < kBlocks; ++k) {
    const CellBlock& block = cell.blocks[k];
    if ((kTerms.Has(k) || kTerms.fixed_biases) && block.bias_sum >= 0) {
      float* bias = to + static_cast<size_t>(block.bias_sum) * cell.padded + at;
      Units<kVectors> sum = sums.bias[k];
      if (!kTerms.Has(k)) sum = SubtractProductUnits(sum, sum, LoadUnits<kVectors>(block.fixed + at));
      StoreUnits(LoadUnits<kVectors>(bias) + sum, bias);
    }
    if (!kTerms.HasDiagonal(k)) continue;
    float* diagonal = to + static_cast<size_t>(block.diagonal_sum) * cell.padded + at;
    Units<kVectors> seen = sums.diagonal[k];
    if (factors != nullptr) {
      seen = seen * LoadUnits<kVectors>(factors + static_cast<size_t>(block.diagonal) * cell.padded + at);
    }
    StoreUnits(LoadUnits<kVectors>(diagonal) + seen, diagonal);
  }
}

// Takes the gradient of a pre-activation to where it belongs.
template <PointwiseTerms kTerms, int kBlock, int kVectors>
HWY_INLINE void SpreadToTerms(const PointwiseWeights<kVectors>& weights, Units<kVectors> da, Units<kVectors> h_before,
                              Units<kVectors>& dh_before, PointwiseSums<kVectors>& sums) {
  sums.bias[kBlock] = sums.bias[kBlock] + da;
  if constexpr (kTerms.HasDiagonal(kBlock)) {
    dh_before = MultiplyAddUnits(weights.diagonal[kBlock], da, dh_before);
    sums.diagonal[kBlock] = MultiplyAddUnits(da, h_before, sums.diagonal[kBlock]);
  }
}

// The same of a gate: x * y is the gradient of its value, times the value.
template <PointwiseTerms kTerms, int kGate, int kVectors>
HWY_INLINE void SpreadToGate(const PointwiseWeights<kVectors>& weights, Units<kVectors> value, Units<kVectors> x,
                             Units<kVectors> y, Units<kVectors> h_before, Units<kVectors>& dh_before,
                             PointwiseSums<kVectors>& sums) {
  if constexpr (kTerms.HasDiagonal(kGate)) {
    const Units<kVectors> product = x * y;
    SpreadToTerms<kTerms, kGate>(weights, SubtractProductUnits(product, product, value), h_before, dh_before, sums);
  } else if constexpr (kTerms.fixed_biases) {
    sums.bias[kGate] = MultiplyAddUnits(x, y, sums.bias[kGate]);
  }
}

// The inverses of two denominators.
template <int kVectors>
HWY_INLINE void InvertBoth(Units<kVectors>& a, Units<kVectors>& b) {
  const Units<kVectors> inverse = SetUnits<kVectors>(hn::Set(kFloats, 1.0f)) / (a * b);
  const Units<kVectors> inverse_of_a = inverse * b;
  b = inverse * a;
  a = inverse_of_a;
}

// dh and dc hold the gradients of the state after the turn and get those of the state before it, but for what comes
// through h U; returns the gradient of the candidate's pre-activation.
template <PointwiseTerms kTerms, int kVectors>
HWY_INLINE Units<kVectors> BackwardTurn(const PointwiseWeights<kVectors>& weights, Units<kVectors> h_before,
                                        Units<kVectors> c_before, Units<kVectors> h_after, Units<kVectors> candidate,
                                        Units<kVectors>& dh, Units<kVectors>& dc, PointwiseSums<kVectors>& sums) {
  const Units<kVectors> one = SetUnits<kVectors>(hn::Set(kFloats, 1.0f));
  Units<kVectors> input = GateTerm<kTerms, kInputGate>(weights, h_before);
  Units<kVectors> forget = GateTerm<kTerms, kForgetGate>(weights, h_before);
  Units<kVectors> output = GateTerm<kTerms, kOutputGate>(weights, h_before);
  Units<kVectors> activated;
  if constexpr (kTerms.output) {
    activated = h_after * output;
    output = one / output;
  } else {
    activated = h_after * weights.inverse_output;
  }
  if constexpr (kTerms.input && kTerms.forget) {
    InvertBoth(input, forget);
  } else if constexpr (kTerms.input) {
    input = one / input;
  } else if constexpr (kTerms.forget) {
    forget = one / forget;
  }
  const Units<kVectors> dh_after = dh;
  // o (1 - tanh(c)^2) = o - h tanh(c)
  dc = MultiplyAddUnits(dh_after, SubtractProductUnits(output, h_after, activated), dc);
  const Units<kVectors> dvalue = dc * input;
  const Units<kVectors> da = dvalue * SubtractProductUnits(one, candidate, candidate);
  dc = dc * forget;
  dh = ZeroUnits<kVectors>();
  SpreadToTerms<kTerms, kCandidate>(weights, da, h_before, dh, sums);
  SpreadToGate<kTerms, kInputGate>(weights, input, dvalue, candidate, h_before, dh, sums);
  SpreadToGate<kTerms, kForgetGate>(weights, forget, dc, c_before, h_before, dh, sums);
  SpreadToGate<kTerms, kOutputGate>(weights, output, dh_after, h_after, h_before, dh, sums);
  return da;
}

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // SLIM_CPU_RECURRENCE_POINTWISE_CELL_INL_H_
