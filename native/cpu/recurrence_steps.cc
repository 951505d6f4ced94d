#include "cpu/recurrence_steps.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/recurrence_steps.cc"
#include "cpu/dispatch.h"
#include "hwy/foreach_target.h"
// Compiled once a target, so after foreach_target.h:
#include "cpu/recurrence_cell-inl.h"
#include "cpu/recurrence_gate_terms-inl.h"
#include "cpu/recurrence_softmax-inl.h"

#ifndef SLIM_STEPS_TABLE
#define SLIM_STEPS_TABLE
namespace slim {
struct StepsTable {
  void (*forward)(const CellParameters& cell, const ForwardStep& step);
  void (*backward)(const CellParameters& cell, const BackwardStep& step);
};
}  // namespace slim
#endif

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {

// Vectors of units that a step works on at a time.
inline constexpr int kStepVectors = 2;

// The number of a row's sequence.
template <class Step>
HWY_INLINE size_t SequenceOf(const Step& step, size_t row) {
  return static_cast<size_t>(step.sequences[row]);
}

HWY_INLINE ForwardOperands OperandsOf(const CellParameters& cell, const ForwardStep& step, size_t row) {
  ForwardOperands operands;
  operands.input_products = step.input_products[row];
  operands.input_stride = cell.padded;
  operands.first_unit = 0;
  operands.recurrent_products =
      step.recurrent_products == nullptr ? nullptr : step.recurrent_products + row * step.recurrent_stride;
  operands.diagonals = step.diagonals + SequenceOf(step, row) * step.diagonal_stride;
  return operands;
}

// Where the values of a row's step are kept, or null.
HWY_INLINE float* KeptOf(const ForwardStep& step, size_t row) {
  return step.kept == nullptr ? nullptr : step.kept + SequenceOf(step, row) * step.kept_stride;
}

template <int kVectors>
HWY_INLINE void StoreStep(const CellParameters& cell, const ForwardStep& step, size_t row, size_t at, Units<kVectors> h,
                          Units<kVectors> c) {
  const size_t sequence = SequenceOf(step, row), state = sequence * step.state_stride + at;
  StoreUnits(h, step.h_after + state);
  StoreUnits(c, step.c_after + state);
  if (step.output[row] != nullptr) StoreFirstUnits(h, step.output[row] + at, cell.units - at);
  if (step.full_factors != nullptr) {
    for (size_t block = 0; block < step.full_count; ++block) {
      const size_t place = sequence * step.full_stride + block * cell.padded + at;
      StoreUnits(h * LoadUnits<kVectors>(step.full_factors + place), step.operands + place);
    }
  }
}

constexpr size_t kLineFloats = 64 / sizeof(float);

// What the turn after writes lies in rows that were last used a step of training ago, each far from the others: they
// are asked for a turn ahead. Asking for memory that is not ours, after the last turn, does no harm.
HWY_INLINE void PrefetchNext(const CellParameters& cell, const ForwardStep& step, size_t row, size_t at) {
  if (step.kept == nullptr || at % kLineFloats != 0) return;
  const ptrdiff_t state = static_cast<ptrdiff_t>(SequenceOf(step, row) * step.state_stride + at) + step.next_state;
  __builtin_prefetch(step.h_after + state, 1, 2);
  __builtin_prefetch(step.c_after + state, 1, 2);
  const ptrdiff_t kept = static_cast<ptrdiff_t>(SequenceOf(step, row) * step.kept_stride + at) + step.next_kept;
  for (size_t block = 0; block < step.kept_count; ++block) {
    __builtin_prefetch(step.kept + kept + static_cast<ptrdiff_t>(block * cell.padded), 1, 2);
  }
}

template <int kVectors>
HWY_INLINE void ForwardAt(const CellParameters& cell, const ForwardStep& step, const ForwardOperands& operands,
                          size_t row, size_t at, float* kept) {
  for (size_t i = 0; i < kVectors; ++i) PrefetchNext(cell, step, row, at + i * kLanes);
  const size_t state = SequenceOf(step, row) * step.state_stride + at;
  Units<kVectors> h = LoadUnits<kVectors>(step.h_before + state);
  Units<kVectors> c = LoadUnits<kVectors>(step.c_before + state);
  ForwardUnits(cell, operands, at, kept, h, c);
  StoreStep(cell, step, row, at, h, c);
}

HWY_INLINE void ForwardRow(const CellParameters& cell, const ForwardStep& step, size_t row) {
  const ForwardOperands operands = OperandsOf(cell, step, row);
  float* kept = KeptOf(step, row);
  size_t at = 0;
  for (; at + kStepVectors * kLanes <= cell.padded && at + kLanes < cell.units; at += kStepVectors * kLanes) {
    ForwardAt<kStepVectors>(cell, step, operands, row, at, kept);
  }
  for (; at < cell.units; at += kLanes) ForwardAt<1>(cell, step, operands, row, at, kept);
}

void ForwardSoftmax(const CellParameters& cell, const ForwardStep& step, size_t row) {
  float* kept = KeptOf(step, row);
  const size_t state = SequenceOf(step, row) * step.state_stride;
  ForwardSoftmaxRow(
      cell, OperandsOf(cell, step, row), step.h_before + state, step.c_before + state, kept, step.row_values,
      [&](size_t at, const Units<1>& h, const Units<1>& c) HWY_ATTR { StoreStep(cell, step, row, at, h, c); });
}

struct SettledForward {
  const CellParameters& cell;
  const ForwardStep& step;

  template <GateTerms kTerms>
  void operator()() const {
    const CellParameters settled = Settled<kTerms>(cell);
    for (size_t row = 0; row < step.rows; ++row) ForwardRow(settled, step, row);
  }
};

void Forward(const CellParameters& cell, const ForwardStep& step) {
  if (WithTerms(cell, SettledForward{cell, step})) return;
  const bool whole_rows = cell.activation == Activation::kSoftmax;
  for (size_t row = 0; row < step.rows; ++row) {
    if (whole_rows) {
      ForwardSoftmax(cell, step, row);
    } else {
      ForwardRow(cell, step, row);
    }
  }
}

HWY_INLINE BackwardOperands OperandsOf(const BackwardStep& step, size_t row) {
  BackwardOperands operands;
  const size_t sequence = SequenceOf(step, row);
  operands.kept = step.kept + sequence * step.kept_stride;
  operands.diagonals = step.diagonals + sequence * step.diagonal_stride;
  operands.diagonal_factors =
      step.diagonal_factors == nullptr ? nullptr : step.diagonal_factors + sequence * step.diagonal_factor_stride;
  return operands;
}

HWY_INLINE bool HasDiagonals(const CellParameters& cell) {
  return cell.blocks[kInputGate].diagonal >= 0 || cell.blocks[kForgetGate].diagonal >= 0 ||
         cell.blocks[kCandidate].diagonal >= 0 || cell.blocks[kOutputGate].diagonal >= 0;
}

// The rows of the turn before lie where the last pass left them, often beyond the second-level cache: asked for as the
// forward pass asks for its own.
HWY_INLINE void PrefetchNext(const CellParameters& cell, const BackwardStep& step, bool diagonals, size_t row,
                             size_t at) {
  if (at % kLineFloats != 0) return;
  const ptrdiff_t state = static_cast<ptrdiff_t>(SequenceOf(step, row) * step.state_stride + at) + step.next_state;
  __builtin_prefetch(step.c_before + state, 0, 2);
  if (diagonals) __builtin_prefetch(step.h_before + state, 0, 2);
  const ptrdiff_t kept = static_cast<ptrdiff_t>(SequenceOf(step, row) * step.kept_stride + at) + step.next_kept;
  for (size_t block = 0; block < step.kept_count; ++block) {
    __builtin_prefetch(step.kept + kept + static_cast<ptrdiff_t>(block * cell.padded), 1, 2);
  }
}

template <int kVectors>
HWY_INLINE void BackwardAt(const CellParameters& cell, const BackwardStep& step, bool diagonals, size_t row, size_t at,
                           GradientSums<kVectors>& sums) {
  for (size_t i = 0; i < kVectors; ++i) PrefetchNext(cell, step, diagonals, row, at + i * kLanes);
  const size_t state = SequenceOf(step, row) * step.state_stride + at, gradient = row * step.gradient_stride + at;
  Units<kVectors> dh = LoadUnits<kVectors>(step.dh + gradient);
  Units<kVectors> dc = LoadUnits<kVectors>(step.dc + gradient);
  if (step.doutput[row] != nullptr) dh = dh + LoadFirstUnits<kVectors>(step.doutput[row] + at, cell.units - at);
  const Units<kVectors> h_before = diagonals ? LoadUnits<kVectors>(step.h_before + state) : ZeroUnits<kVectors>();
  BackwardUnits(cell, OperandsOf(step, row), at, h_before, LoadUnits<kVectors>(step.c_before + state),
                LoadUnits<kVectors>(step.c_after + state), dh, dc, sums);
  StoreUnits(dh, step.dh + gradient);
  StoreUnits(dc, step.dc + gradient);
}

void BackwardSoftmax(const CellParameters& cell, const BackwardStep& step, size_t row, float* group_sums) {
  const size_t state = SequenceOf(step, row) * step.state_stride, gradient = row * step.gradient_stride;
  if (step.doutput[row] != nullptr) {
    for (size_t at = 0; at < cell.units; at += kLanes) {
      float* dh = step.dh + gradient + at;
      StoreUnits(LoadUnits<1>(dh) + LoadFirstUnits<1>(step.doutput[row] + at, cell.units - at), dh);
    }
  }
  BackwardSoftmaxRow(cell, OperandsOf(step, row), step.h_before + state, step.c_before + state, step.c_after + state,
                     step.dh + gradient, step.dc + gradient, group_sums, step.row_values);
}

// The rows of a group, for the units from `at` on.
template <int kVectors>
HWY_INLINE void BackwardUnitsOfGroup(const CellParameters& cell, const BackwardStep& step, bool diagonals, size_t first,
                                     size_t end, size_t at, float* group_sums) {
  GradientSums<kVectors> sums;
  LoadSums(cell, group_sums, at, sums);
  for (size_t row = first; row < end; ++row) BackwardAt<kVectors>(cell, step, diagonals, row, at, sums);
  StoreSums(cell, sums, at, group_sums);
}

// The group of a row's sequence.
HWY_INLINE size_t GroupOf(const BackwardStep& step, size_t row) { return SequenceOf(step, row) / step.group_rows; }

// The end of the rows from `first` on that are of one group.
HWY_INLINE size_t GroupEnd(const BackwardStep& step, size_t first) {
  size_t end = first + 1;
  while (end < step.rows && GroupOf(step, end) == GroupOf(step, first)) ++end;
  return end;
}

HWY_INLINE void BackwardGroup(const CellParameters& cell, const BackwardStep& step, size_t first, size_t end) {
  const bool diagonals = HasDiagonals(cell);
  float* group_sums = step.sums + GroupOf(step, first) * step.sums_stride;
  size_t at = 0;
  for (; at + kStepVectors * kLanes <= cell.padded && at + kLanes < cell.units; at += kStepVectors * kLanes) {
    BackwardUnitsOfGroup<kStepVectors>(cell, step, diagonals, first, end, at, group_sums);
  }
  for (; at < cell.units; at += kLanes) {
    BackwardUnitsOfGroup<1>(cell, step, diagonals, first, end, at, group_sums);
  }
}

struct SettledBackward {
  const CellParameters& cell;
  const BackwardStep& step;

  template <GateTerms kTerms>
  void operator()() const {
    const CellParameters settled = Settled<kTerms>(cell);
    for (size_t first = 0, end; first < step.rows; first = end) {
      end = GroupEnd(step, first);
      BackwardGroup(settled, step, first, end);
    }
  }
};

void Backward(const CellParameters& cell, const BackwardStep& step) {
  if (WithTerms(cell, SettledBackward{cell, step})) return;
  const bool whole_rows = cell.activation == Activation::kSoftmax;
  for (size_t first = 0, end; first < step.rows; first = end) {
    end = GroupEnd(step, first);
    if (!whole_rows) {
      BackwardGroup(cell, step, first, end);
      continue;
    }
    float* group_sums = step.sums + GroupOf(step, first) * step.sums_stride;
    for (size_t row = first; row < end; ++row) BackwardSoftmax(cell, step, row, group_sums);
  }
}

extern const StepsTable kStepsTable;
const StepsTable kStepsTable = {Forward, Backward};

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slim {

SLIM_CHOOSE_TABLE(StepsTable, kStepsTable)

void RunForwardStep(const CellParameters& parameters, const ForwardStep& step) {
  ChosenStepsTable().forward(parameters, step);
}

void RunBackwardStep(const CellParameters& parameters, const BackwardStep& step) {
  ChosenStepsTable().backward(parameters, step);
}

}  // namespace slim
#endif
