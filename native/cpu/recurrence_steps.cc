#include "cpu/recurrence_steps.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/recurrence_steps.cc"
#include "cpu/dispatch.h"
#include "hwy/foreach_target.h"
// Compiled once a target, so after foreach_target.h:
#include "cpu/recurrence_cell-inl.h"
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

// Vectors of units that the forward step works on at a time.
inline constexpr int kForwardVectors = 2;

ForwardOperands OperandsOf(const CellParameters& cell, const ForwardStep& step, size_t row) {
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

void ForwardRow(const CellParameters& cell, const ForwardStep& step, size_t row) {
  const ForwardOperands operands = OperandsOf(cell, step, row);
  float* kept = step.kept == nullptr ? nullptr : step.kept + row * step.kept_stride;
  size_t at = 0;
  for (; at + kForwardVectors * kLanes <= cell.padded && at + kLanes < cell.units; at += kForwardVectors * kLanes) {
    ForwardAt<kForwardVectors>(cell, step, operands, row, at, kept);
  }
  for (; at < cell.units; at += kLanes) ForwardAt<1>(cell, step, operands, row, at, kept);
}

void Forward(const CellParameters& cell, const ForwardStep& step) {
  const bool whole_rows = cell.activation == Activation::kSoftmax;
  for (size_t row = 0; row < step.rows; ++row) {
    if (!whole_rows) {
      ForwardRow(cell, step, row);
      continue;
    }
    float* kept = step.kept == nullptr ? nullptr : step.kept + row * step.kept_stride;
    ForwardSoftmaxRow(cell, OperandsOf(cell, step, row), step.h_before + row * step.state_stride,
                      step.c_before + row * step.state_stride, kept, step.row_values,
                      [&](size_t at, const Units<1>& h, const Units<1>& c)
                          HWY_ATTR { StoreStep(cell, step, row, at, h, c); });
  }
}

BackwardOperands OperandsOf(const BackwardStep& step, size_t row) {
  BackwardOperands operands;
  operands.kept = step.kept + row * step.kept_stride;
  operands.diagonals = step.diagonals + row * step.diagonal_stride;
  operands.diagonal_factors =
      step.diagonal_factors == nullptr ? nullptr : step.diagonal_factors + row * step.diagonal_factor_stride;
  return operands;
}

bool HasDiagonals(const CellParameters& cell) {
  for (const CellBlock& block : cell.blocks) {
    if (block.diagonal >= 0) return true;
  }
  return false;
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
  PrefetchNext(cell, step, diagonals, row, at);
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

void Backward(const CellParameters& cell, const BackwardStep& step) {
  const bool whole_rows = cell.activation == Activation::kSoftmax;
  const bool diagonals = HasDiagonals(cell);
  for (size_t first = 0; first < step.rows; first += step.group_rows) {
    const size_t end = HWY_MIN(first + step.group_rows, step.rows);
    float* group_sums = step.sums + first / step.group_rows * step.sums_stride;
    if (whole_rows) {
      for (size_t row = first; row < end; ++row) BackwardSoftmax(cell, step, row, group_sums);
      continue;
    }
    for (size_t at = 0; at < cell.units; at += kLanes) {
      GradientSums<1> sums;
      LoadSums(cell, group_sums, at, sums);
      for (size_t row = first; row < end; ++row) BackwardAt<1>(cell, step, diagonals, row, at, sums);
      StoreSums(cell, sums, at, group_sums);
    }
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
