#include "cpu/recurrence_steps.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/recurrence_steps.cc"
#include "cpu/dispatch.h"
#include "hwy/foreach_target.h"
// Compiled once a target, so after foreach_target.h:
#include "cpu/recurrence_cell-inl.h"
#include "cpu/recurrence_full_gates-inl.h"
#include "cpu/recurrence_pointwise_cell-inl.h"
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

template <class Step>
HWY_INLINE const float* DiagonalsOf(const Step& step, size_t row) {
  return step.diagonals + SequenceOf(step, row) * step.diagonal_stride;
}

HWY_INLINE ForwardOperands OperandsOf(const CellParameters& cell, const ForwardStep& step, size_t row) {
  ForwardOperands operands;
  operands.input_products = step.input_products[row];
  operands.input_stride = cell.padded;
  operands.first_unit = 0;
  operands.recurrent_products =
      step.recurrent_products == nullptr ? nullptr : step.recurrent_products + row * step.recurrent_stride;
  operands.diagonals = DiagonalsOf(step, row);
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

HWY_NOINLINE void ForwardOfFullGates(const CellParameters& cell, const ForwardStep& step) {
  const CellParameters settled = SettledFullGates(cell);
  for (size_t row = 0; row < step.rows; ++row) ForwardRow(settled, step, row);
}

// As WithPointwiseTerms; false, too, for candidates that are not of x W and h U.
template <class Run>
HWY_INLINE bool WithSettledTerms(const CellParameters& cell, const Run& run) {
  const CellBlock& candidate = cell.blocks[kCandidate];
  if (candidate.fixed != nullptr || candidate.input < 0 || candidate.full < 0 || candidate.diagonal >= 0) return false;
  return WithPointwiseTerms<false>(cell, run);
}

template <int kVectors>
HWY_INLINE void PrefetchUnits(const float* units) {
  HWY_UNROLL(4)
  for (size_t j = 0; j < kVectors * kLanes; j += kLineFloats) __builtin_prefetch(units + j, 1, 2);
}

template <PointwiseTerms kTerms, int kVectors>
HWY_INLINE BegunTurn<kVectors> BeginRow(const CellParameters& cell, const ForwardStep& step,
                                        const PointwiseWeights<kVectors>& weights, size_t row, size_t at) {
  const CellBlock& block = cell.blocks[kCandidate];
  const size_t state = SequenceOf(step, row) * step.state_stride + at;
  const float* input = step.input_products[row] + static_cast<size_t>(block.input) * cell.padded;
  Units<kVectors> products = LoadUnits<kVectors>(input + at);
  if (step.recurrent_products != nullptr) {
    const float* full = step.recurrent_products + static_cast<size_t>(block.full) * cell.padded;
    products = products + LoadUnits<kVectors>(full + row * step.recurrent_stride + at);
  }
  const BegunTurn<kVectors> turn = BeginTurn<kTerms>(weights, products, LoadUnits<kVectors>(step.h_before + state),
                                                     LoadUnits<kVectors>(step.c_before + state));
  if (step.kept != nullptr) {
    float* kept = KeptOf(step, row) + static_cast<size_t>(block.kept) * cell.padded + at;
    StoreUnits(turn.candidate, kept);
    PrefetchUnits<kVectors>(step.h_after + state + step.next_state);
    PrefetchUnits<kVectors>(step.c_after + state + step.next_state);
    PrefetchUnits<kVectors>(kept + step.next_kept);
  }
  return turn;
}

template <PointwiseTerms kTerms, int kVectors>
HWY_INLINE void FinishRow(const CellParameters& cell, const ForwardStep& step, const BegunTurn<kVectors>& turn,
                          size_t row, size_t at) {
  Units<kVectors> h, c;
  FinishTurn<kTerms>(turn, h, c);
  StoreStep(cell, step, row, at, h, c);
  // The rows lie far from each other: the processor does not foresee that the next units of each are written soon.
  if (step.output[row] != nullptr) PrefetchUnits<kVectors>(step.output[row] + at + kVectors * kLanes);
}

// All rows, for the units from `at` on. A row is begun before the one before it is finished: each is a long chain of
// operations that wait for each other.
template <PointwiseTerms kTerms, int kVectors>
HWY_INLINE void ForwardUnitsOfRows(const CellParameters& cell, const ForwardStep& step, size_t at) {
  PointwiseWeights<kVectors> weights = LoadWeights<kTerms, kVectors>(cell, DiagonalsOf(step, 0), at);
  BegunTurn<kVectors> turn = BeginRow<kTerms>(cell, step, weights, 0, at);
  for (size_t row = 1; row < step.rows; ++row) {
    if (step.diagonal_stride != 0) LoadDiagonals<kTerms>(cell, DiagonalsOf(step, row), at, weights);
    const BegunTurn<kVectors> next = BeginRow<kTerms>(cell, step, weights, row, at);
    FinishRow<kTerms>(cell, step, turn, row - 1, at);
    turn = next;
  }
  FinishRow<kTerms>(cell, step, turn, step.rows - 1, at);
}

template <PointwiseTerms kTerms>
HWY_NOINLINE void ForwardOfPointwiseCell(const CellParameters& cell, const ForwardStep& step) {
  size_t at = 0;
  for (; at + kStepVectors * kLanes <= cell.padded && at + kLanes < cell.units; at += kStepVectors * kLanes) {
    ForwardUnitsOfRows<kTerms, kStepVectors>(cell, step, at);
  }
  for (; at < cell.units; at += kLanes) ForwardUnitsOfRows<kTerms, 1>(cell, step, at);
}

void Forward(const CellParameters& cell, const ForwardStep& step) {
  const auto run = [&]<PointwiseTerms kTerms>() HWY_ATTR { ForwardOfPointwiseCell<kTerms.Forward()>(cell, step); };
  if (WithSettledTerms(cell, run)) return;
  if (HasFullGates(cell)) return ForwardOfFullGates(cell, step);
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

HWY_NOINLINE void BackwardOfFullGates(const CellParameters& cell, const BackwardStep& step) {
  const CellParameters settled = SettledFullGates(cell);
  for (size_t first = 0, end; first < step.rows; first = end) {
    end = GroupEnd(step, first);
    BackwardGroup(settled, step, first, end);
  }
}

// The rows of a group, for the units from `at` on. Dropout gives each row diagonals of its own, and factors for its
// sums.
template <PointwiseTerms kTerms, int kVectors>
HWY_INLINE void BackwardUnitsOfRows(const CellParameters& cell, const BackwardStep& step, size_t first, size_t end,
                                    size_t at) {
  const bool own_diagonals = step.diagonal_stride != 0;
  float* group_sums = step.sums + GroupOf(step, first) * step.sums_stride;
  PointwiseWeights<kVectors> weights = LoadWeights<kTerms, kVectors>(cell, DiagonalsOf(step, first), at);
  PointwiseSums<kVectors> sums;
  ClearSums(sums);
  const size_t place = static_cast<size_t>(cell.blocks[kCandidate].kept) * cell.padded + at;
  for (size_t row = first; row < end; ++row) {
    if (row > first && own_diagonals) LoadDiagonals<kTerms>(cell, DiagonalsOf(step, row), at, weights);
    const size_t sequence = SequenceOf(step, row);
    const size_t state = sequence * step.state_stride + at, gradient = row * step.gradient_stride + at;
    float* kept = step.kept + sequence * step.kept_stride + place;
    PrefetchUnits<kVectors>(step.h_before + state + step.next_state);
    PrefetchUnits<kVectors>(step.c_before + state + step.next_state);
    PrefetchUnits<kVectors>(kept + step.next_kept);
    Units<kVectors> dh = LoadUnits<kVectors>(step.dh + gradient);
    Units<kVectors> dc = LoadUnits<kVectors>(step.dc + gradient);
    if (step.doutput[row] != nullptr) dh = dh + LoadFirstUnits<kVectors>(step.doutput[row] + at, cell.units - at);
    const Units<kVectors> da = BackwardTurn<kTerms>(
        weights, LoadUnits<kVectors>(step.h_before + state), LoadUnits<kVectors>(step.c_before + state),
        LoadUnits<kVectors>(step.h_after + state), LoadUnits<kVectors>(kept), dh, dc, sums);
    StoreUnits(da, kept);
    StoreUnits(dh, step.dh + gradient);
    StoreUnits(dc, step.dc + gradient);
    if (own_diagonals) {
      AddSums<kTerms>(cell, sums, step.diagonal_factors + sequence * step.diagonal_factor_stride, at, group_sums);
      ClearSums(sums);
    }
  }
  if (!own_diagonals) AddSums<kTerms>(cell, sums, nullptr, at, group_sums);
}

template <PointwiseTerms kTerms>
HWY_NOINLINE void BackwardOfPointwiseCell(const CellParameters& cell, const BackwardStep& step) {
  // Weights and sums of more would not fit into the registers where gates see h.
  constexpr int kVectors = kTerms.input + kTerms.forget + kTerms.output > 1 ? 1 : kStepVectors;
  for (size_t first = 0, end; first < step.rows; first = end) {
    end = GroupEnd(step, first);
    size_t at = 0;
    for (; at + kVectors * kLanes <= cell.padded && at + kLanes < cell.units; at += kVectors * kLanes) {
      BackwardUnitsOfRows<kTerms, kVectors>(cell, step, first, end, at);
    }
    for (; at < cell.units; at += kLanes) BackwardUnitsOfRows<kTerms, 1>(cell, step, first, end, at);
  }
}

void Backward(const CellParameters& cell, const BackwardStep& step) {
  const auto run = [&]<PointwiseTerms kTerms>() HWY_ATTR { BackwardOfPointwiseCell<kTerms>(cell, step); };
  if (WithSettledTerms(cell, run)) return;
  if (HasFullGates(cell)) return BackwardOfFullGates(cell, step);
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
