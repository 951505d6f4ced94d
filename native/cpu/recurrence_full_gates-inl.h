// The cells whose gates all see h U, as those of LSTM, LSTM1 and LSTM2: tanh, sigmoid, gates of h U with or without x W
// and b, and a candidate of x W + h U + b. That they have these terms is settled when this is compiled, so that a step
// is one run of arithmetic; of all other cells the terms are asked for at every one of them. What the terms are:
// recurrence_steps.h.

#if defined(SLIM_CPU_RECURRENCE_FULL_GATES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLIM_CPU_RECURRENCE_FULL_GATES_INL_H_
#undef SLIM_CPU_RECURRENCE_FULL_GATES_INL_H_
#else
#define SLIM_CPU_RECURRENCE_FULL_GATES_INL_H_
#endif

#include "cpu/recurrence_steps.h"
#include "cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {

// Whether the cell is one of those told above. None is on targets without fused multiply-adds: what the questions cost
// is little there.
inline bool HasFullGates(const CellParameters& cell) {
  if (!HWY_NATIVE_FMA || cell.activation != Activation::kTanh || cell.gate_activation != Activation::kSigmoid) {
    return false;
  }
  for (const CellBlock& block : cell.blocks) {
    if (block.fixed != nullptr || block.full < 0 || block.diagonal >= 0) return false;
  }
  return cell.blocks[kCandidate].input >= 0 && cell.blocks[kCandidate].bias != nullptr;
}

// Tells the compiler what is known.
HWY_INLINE void Known(bool condition) {
  if (!condition) __builtin_unreachable();
}

// Such a cell in a form whose questions the compiler can answer.
HWY_INLINE CellParameters SettledFullGates(const CellParameters& cell) {
  CellParameters settled = cell;
  settled.activation = Activation::kTanh;
  settled.gate_activation = Activation::kSigmoid;
  const auto settle = [](CellBlock& block) HWY_ATTR {
    Known(block.full >= 0 && block.kept >= 0);
    block.fixed = nullptr;
    block.diagonal = block.diagonal_sum = -1;
  };
  settle(settled.blocks[kInputGate]);
  settle(settled.blocks[kForgetGate]);
  settle(settled.blocks[kOutputGate]);
  CellBlock& candidate = settled.blocks[kCandidate];
  settle(candidate);
  Known(candidate.input >= 0 && candidate.bias != nullptr && candidate.bias_sum >= 0);
  return settled;
}

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // SLIM_CPU_RECURRENCE_FULL_GATES_INL_H_
