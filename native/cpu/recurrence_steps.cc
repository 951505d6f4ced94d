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

HWY_INLINE ForwardOperands OperandsOf(const CellParameters& cell, const ForwardStep& step, size_t row) {
  ForwardOperands operands;
  operands.input_products = step.input_products[row];
  operands.input_stride = cell.padded;
  operands.first_unit = 0;
  operands.recurrent_products =
      step.recurrent_products == nullptr ? nullptr : step.recurrent_products + row * step.recurrent_stride;
  operands.diagonals = step.diagonals + row * step.diagonal_stride;
  return operands;
}

template <int kVectors>
HWY_INLINE void StoreStep(const CellParameters& cell, const ForwardStep& step, size_t row, size_t at, Units<kVectors> h,
                          Units<kVectors> c) {
  StoreUnits(h, step.h_after + row * step.state_stride + at);
  StoreUnits(c, step.c_after + row * step.state_stride + at);
  if (step.output[row] != nullptr) StoreFirstUnits(h, step.output[row] + at, cell.units - at);
  if (step.full_factors != nullptr) {
    for (size_t block = 0; block < step.full_count; ++block) {
      const size_t place = row * step.full_stride + block * cell.padded + at;
      StoreUnits(h * LoadUnits<kVectors>(step.full_factors + place), step.operands + place);
    }
  }
}

template <int kVectors>
HWY_INLINE void ForwardAt(const CellParameters& cell, const ForwardStep& step, const ForwardOperands& operands,
                          size_t row, size_t at, float* kept) {
  Units<kVectors> h = LoadUnits<kVectors>(step.h_before + row * step.state_stride + at);
  Units<kVectors> c = LoadUnits<kVectors>(step.c_before + row * step.state_stride + at);
  ForwardUnits(cell, operands, at, kept, h, c);
  StoreStep(cell, step, row, at, h, c);
}

HWY_INLINE void ForwardRow(const CellParameters& cell, const ForwardStep& step, size_t row) {
  const ForwardOperands operands = OperandsOf(cell, step, row);
  float* kept = step.kept == nullptr ? nullptr : step.kept + row * step.kept_stride;
  size_t at = 0;
  for (; at + kStepVectors * kLanes <= cell.padded && at + kLanes < cell.units; at += kStepVectors * kLanes) {
    ForwardAt<kStepVectors>(cell, step, operands, row, at, kept);
  }
  for (; at < cell.units; at += kLanes) ForwardAt<1>(cell, step, operands, row, at, kept);
}

void ForwardSoftmax(const CellParameters& cell, const ForwardStep& step, size_t row) {
  float* kept = step.kept == nullptr ? nullptr : step.kept + row * step.kept_stride;
  ForwardSoftmaxRow(cell, OperandsOf(cell, step, row), step.h_before + row * step.state_stride,
                    step.c_before + row * step.state_stride, kept, step.row_values,
                    [&](size_t at, const Units<1>& h, const Units<1>& c)
                        HWY_ATTR { StoreStep(cell, step, row, at, h, c); });
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
  operands.kept = step.kept + row * step.kept_stride;
  operands.diagonals = step.diagonals + row * step.diagonal_stride;
  operands.diagonal_factors =
      step.diagonal_factors == nullptr ? nullptr : step.diagonal_factors + row * step.diagonal_factor_stride;
  return operands;
}

HWY_INLINE bool HasDiagonals(const CellParameters& cell) {
  return cell.blocks[kInputGate].diagonal >= 0 || cell.blocks[kForgetGate].diagonal >= 0 ||
         cell.blocks[kCandidate].diagonal >= 0 || cell.blocks[kOutputGate].diagonal >= 0;
}

// The rows of the turn before lie where the last pass left them, often beyond the second-level cache, and far from each
// other: they are asked for a turn ahead. Asking for memory that is not ours, before the first turn, does no harm.
HWY_INLINE void PrefetchNext(const CellParameters& cell, const BackwardStep& step, bool diagonals, size_t row,
                             size_t at) {
  constexpr size_t kLineFloats = 64 / sizeof(float);
  if (at % kLineFloats != 0) return;
  const ptrdiff_t state = static_cast<ptrdiff_t>(row * step.state_stride + at) + step.next_state;
  __builtin_prefetch(step.c_before + state, 0, 2);
  if (diagonals) __builtin_prefetch(step.h_before + state, 0, 2);
  for (size_t block = 0; block < step.kept_count; ++block) {
    const ptrdiff_t kept = static_cast<ptrdiff_t>(row * step.kept_stride + block * cell.padded + at) + step.next_kept;
    __builtin_prefetch(step.kept + kept, 1, 2);
  }
}

template <int kVectors>
HWY_INLINE void BackwardAt(const CellParameters& cell, const BackwardStep& step, bool diagonals, size_t row, size_t at,
                           GradientSums<kVectors>& sums) {
  for (size_t i = 0; i < kVectors; ++i) PrefetchNext(cell, step, diagonals, row, at + i * kLanes);
  const size_t state = row * step.state_stride + at, gradient = row * step.gradient_stride + at;
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
  const size_t state = row * step.state_stride, gradient = row * step.gradient_stride;
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

HWY_INLINE void BackwardGroup(const CellParameters& cell, const BackwardStep& step, size_t first, size_t end) {
  const bool diagonals = HasDiagonals(cell);
  float* group_sums = step.sums + first / step.group_rows * step.sums_stride;
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
    for (size_t first = 0; first < step.rows; first += step.group_rows) {
      BackwardGroup(settled, step, first, HWY_MIN(first + step.group_rows, step.rows));
    }
  }
};

void Backward(const CellParameters& cell, const BackwardStep& step) {
  if (WithTerms(cell, SettledBackward{cell, step})) return;
  const bool whole_rows = cell.activation == Activation::kSoftmax;
  for (size_t first = 0; first < step.rows; first += step.group_rows) {
    const size_t end = HWY_MIN(first + step.group_rows, step.rows);
    if (!whole_rows) {
      BackwardGroup(cell, step, first, end);
      continue;
    }
    float* group_sums = step.sums + first / step.group_rows * step.sums_stride;
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
