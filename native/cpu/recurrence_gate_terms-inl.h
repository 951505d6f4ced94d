// Which terms the gates have, settled when this is compiled, for the cells of the published variants: tanh, sigmoid,
// and a candidate of bias + x W + h U. A step is then one run of arithmetic; of all other cells the terms are asked for
// at every one of them. What the terms are: recurrence_steps.h.

#if defined(SLIM_CPU_RECURRENCE_GATE_TERMS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLIM_CPU_RECURRENCE_GATE_TERMS_INL_H_
#undef SLIM_CPU_RECURRENCE_GATE_TERMS_INL_H_
#else
#define SLIM_CPU_RECURRENCE_GATE_TERMS_INL_H_
#endif

#include <iterator>
#include <utility>

#include "cpu/recurrence_steps.h"
#include "cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {

enum class Gate {
  kConstant,  // fixed, without a bias to learn
  kBias,      // fixed, of a bias alone
  kDiagonal,  // u (.) h, with or without bias
  kFull,      // h U, with or without x W and bias
  kOther,
};

struct GateTerms {
  Gate input, forget, output;
  bool operator==(const GateTerms&) const = default;
};

inline Gate GateOf(const CellBlock& block) {
  if (block.fixed != nullptr) return block.bias_sum < 0 ? Gate::kConstant : Gate::kBias;
  if (block.full >= 0) return block.diagonal < 0 ? Gate::kFull : Gate::kOther;
  return block.diagonal >= 0 && block.kept < 0 ? Gate::kDiagonal : Gate::kOther;
}

inline GateTerms TermsOf(const CellParameters& cell) {
  constexpr GateTerms kOthers = {Gate::kOther, Gate::kOther, Gate::kOther};
  const CellBlock& candidate = cell.blocks[kCandidate];
  if (cell.activation != Activation::kTanh || cell.gate_activation != Activation::kSigmoid) return kOthers;
  if (candidate.input < 0 || candidate.full < 0 || candidate.diagonal >= 0 || candidate.bias == nullptr) return kOthers;
  return {GateOf(cell.blocks[kInputGate]), GateOf(cell.blocks[kForgetGate]), GateOf(cell.blocks[kOutputGate])};
}

// Tells the compiler what is known.
HWY_INLINE void Known(bool condition) {
  if (!condition) __builtin_unreachable();
}

template <Gate kGate>
HWY_INLINE void SettleGate(CellBlock& block) {
  if constexpr (kGate == Gate::kConstant || kGate == Gate::kBias) {
    Known(block.fixed != nullptr);
    block.input = block.full = block.diagonal = block.kept = block.diagonal_sum = -1;
    if constexpr (kGate == Gate::kConstant) block.bias_sum = -1;
    if constexpr (kGate == Gate::kBias) Known(block.bias_sum >= 0);
  } else if constexpr (kGate == Gate::kDiagonal) {
    Known(block.diagonal >= 0 && block.diagonal_sum >= 0);
    block.fixed = nullptr;
    block.input = block.full = block.kept = -1;
  } else {
    Known(block.full >= 0 && block.kept >= 0);
    block.fixed = nullptr;
    block.diagonal = block.diagonal_sum = -1;
  }
}

// The cell, which has these terms, in a form whose questions the compiler can answer.
template <GateTerms kTerms>
HWY_INLINE CellParameters Settled(const CellParameters& cell) {
  CellParameters settled = cell;
  settled.activation = Activation::kTanh;
  settled.gate_activation = Activation::kSigmoid;
  SettleGate<kTerms.input>(settled.blocks[kInputGate]);
  SettleGate<kTerms.forget>(settled.blocks[kForgetGate]);
  SettleGate<kTerms.output>(settled.blocks[kOutputGate]);
  CellBlock& candidate = settled.blocks[kCandidate];
  Known(candidate.input >= 0 && candidate.full >= 0 && candidate.kept >= 0);
  Known(candidate.bias != nullptr && candidate.bias_sum >= 0);
  candidate.fixed = nullptr;
  candidate.diagonal = candidate.diagonal_sum = -1;
  return settled;
}

// Calls run.template operator()<kTerms>() where the cell has the terms of a published variant; otherwise returns false,
// as it does for every cell on targets without fused multiply-adds: what the questions cost is little there.
template <class Run>
HWY_INLINE bool WithTerms(const CellParameters& cell, const Run& run) {
  if constexpr (HWY_NATIVE_FMA) {
    constexpr Gate kConstant = Gate::kConstant, kBias = Gate::kBias, kDiagonal = Gate::kDiagonal, kFull = Gate::kFull;
    static constexpr GateTerms kPublished[] = {{kFull, kFull, kFull},               // LSTM, LSTM1, LSTM2
                                               {kBias, kBias, kBias},               // LSTM3
                                               {kDiagonal, kDiagonal, kDiagonal},   // LSTM4, LSTM5
                                               {kDiagonal, kConstant, kConstant},   // LSTM4a, LSTM5a
                                               {kConstant, kConstant, kConstant}};  // LSTM6
    const GateTerms terms = TermsOf(cell);
    const auto among = [&]<size_t... kNumbers>(std::index_sequence<kNumbers...>) HWY_ATTR {
      return ((terms == kPublished[kNumbers] && (run.template operator()<kPublished[kNumbers]>(), true)) || ...);
    };
    return among(std::make_index_sequence<std::size(kPublished)>());
  }
  return false;
}

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // SLIM_CPU_RECURRENCE_GATE_TERMS_INL_H_
