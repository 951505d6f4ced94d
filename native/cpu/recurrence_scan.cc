#include "cpu/recurrence_scan.h"

#include <algorithm>
#include <utility>

#include "cpu/recurrence_output.h"
#include "cpu/recurrence_stem.h"
#include "cpu/recurrence_sums.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/recurrence_scan.cc"
#include "cpu/dispatch.h"
#include "hwy/foreach_target.h"
// Compiled once a target, so after foreach_target.h:
#include "cpu/recurrence_cell-inl.h"
#include "cpu/recurrence_scan_cell-inl.h"

#ifndef SLIM_SCAN_TABLE
#define SLIM_SCAN_TABLE
namespace slim {

/// Some turns of one sequence, for the units [first_unit, first_unit + units). Strides count floats from turn to turn
/// and may be negative.
struct ForwardScan {
  size_t turns;
  size_t first_unit;
  size_t units;
  const float* const* input_products;  // [turns]: rows from first_unit on
  size_t block_stride;                 // floats between the blocks of such a row
  const float* diagonals;              // [diagonal blocks, padded]
  float* state_h;                      // [padded]: before the first turn; gets the state after the last
  float* state_c;
  float* h;  // of the state after the first turn, or null: inference
  float* c;
  ptrdiff_t state_stride;
  float* kept;  // of the first turn, or null
  ptrdiff_t kept_stride;
  float* const* output;  // [turns] of [units of the layer], each may be null
};

struct BackwardScan {
  size_t turns;  // the last of them first
  size_t first_unit;
  size_t units;
  const float* diagonals;
  const float* diagonal_factors;  // or null
  const float* h_before;          // of the last turn
  const float* c_before;
  const float* c_after;
  ptrdiff_t state_stride;  // to the turn before
  float* kept;
  ptrdiff_t kept_stride;
  const float* const* doutput;  // [turns], each may be null
  float* dh;                    // [padded]
  float* dc;
  float* sums;  // [bias and diagonal blocks, padded]: added to
};

struct ScanTable {
  void (*forward)(const CellParameters& cell, const ForwardScan& scan);
  void (*backward)(const CellParameters& cell, const BackwardScan& scan);
};

}  // namespace slim
#endif

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {

// Vectors of a strip; two strips fill a panel of input products.
inline constexpr int kScanVectors = kVectorRegisters == 32 ? 2 : 1;

// Turns ahead of which the lines that will be written are asked for, so that the stores find them.
inline constexpr ptrdiff_t kTurnsAhead = 6;

template <int kVectors>
HWY_INLINE void PrefetchStates(const ForwardScan& scan, ptrdiff_t turn, size_t at) {
  for (size_t j = at; j < at + kVectors * kLanes; j += 64 / sizeof(float)) {
    __builtin_prefetch(scan.h + turn * scan.state_stride + j, 1);
    __builtin_prefetch(scan.c + turn * scan.state_stride + j, 1);
    __builtin_prefetch(scan.kept + turn * scan.kept_stride + j, 1);
  }
}

// The next turn of some units.
template <int kVectors>
HWY_INLINE void ForwardTurn(const CellParameters& cell, const ForwardScan& scan, size_t turn, size_t at,
                            Units<kVectors>& h, Units<kVectors>& c) {
  const ptrdiff_t step = static_cast<ptrdiff_t>(turn);
  ForwardOperands operands;
  operands.input_products = scan.input_products[turn];
  operands.input_stride = scan.block_stride;
  operands.first_unit = scan.first_unit;
  operands.recurrent_products = nullptr;
  operands.diagonals = scan.diagonals;
  float* kept = scan.kept == nullptr ? nullptr : scan.kept + step * scan.kept_stride;
  ForwardUnits(cell, operands, at, kept, h, c);
  if (scan.h != nullptr) {
    StoreUnits(h, scan.h + step * scan.state_stride + at);
    StoreUnits(c, scan.c + step * scan.state_stride + at);
  }
  if (scan.output[turn] != nullptr) StoreFirstUnits(h, scan.output[turn] + at, cell.units - at);
}

template <int kVectors>
void ForwardStrip(const CellParameters& cell, const ForwardScan& scan, size_t at) {
  Units<kVectors> h = LoadUnits<kVectors>(scan.state_h + at), c = LoadUnits<kVectors>(scan.state_c + at);
  for (size_t turn = 0; turn < scan.turns; ++turn) ForwardTurn(cell, scan, turn, at, h, c);
  StoreUnits(h, scan.state_h + at);
  StoreUnits(c, scan.state_c + at);
}

// Two strips side by side: while the one waits for its activations, the other has work.
template <int kVectors>
void ForwardTwoStrips(const CellParameters& cell, const ForwardScan& scan, size_t at) {
  const size_t beside = at + kVectors * kLanes;
  Units<kVectors> h = LoadUnits<kVectors>(scan.state_h + at), c = LoadUnits<kVectors>(scan.state_c + at);
  Units<kVectors> other_h = LoadUnits<kVectors>(scan.state_h + beside);
  Units<kVectors> other_c = LoadUnits<kVectors>(scan.state_c + beside);
  for (size_t turn = 0; turn < scan.turns; ++turn) {
    if (scan.h != nullptr) PrefetchStates<2 * kVectors>(scan, static_cast<ptrdiff_t>(turn) + kTurnsAhead, at);
    ForwardTurn(cell, scan, turn, at, h, c);
    ForwardTurn(cell, scan, turn, beside, other_h, other_c);
  }
  StoreUnits(h, scan.state_h + at);
  StoreUnits(c, scan.state_c + at);
  StoreUnits(other_h, scan.state_h + beside);
  StoreUnits(other_c, scan.state_c + beside);
}

void ForwardOfAnyCell(const CellParameters& cell, const ForwardScan& scan) {
  constexpr size_t kTwoStrips = 2 * kScanVectors * kLanes;
  size_t at = scan.first_unit;
  const size_t end = at + scan.units;
  for (; at + kTwoStrips <= end; at += kTwoStrips) ForwardTwoStrips<kScanVectors>(cell, scan, at);
  for (; at < end; at += kLanes) ForwardStrip<1>(cell, scan, at);
}

// Some neighbouring units of a sequence, whose state is held in registers from turn to turn.
template <MovingGates kMoving, int kVectors>
class ForwardUnitsOfScan {
 public:
  ForwardUnitsOfScan(const CellParameters& cell, const ForwardScan& scan, size_t at)
      : cell_(cell),
        scan_(scan),
        at_(at),
        weights_(LoadWeights<kMoving, kVectors>(cell, scan.diagonals, at)),
        h_(LoadUnits<kVectors>(scan.state_h + at)),
        c_(LoadUnits<kVectors>(scan.state_c + at)) {}

  HWY_INLINE void Turn(size_t turn) {
    const ptrdiff_t step = static_cast<ptrdiff_t>(turn);
    const float* input = scan_.input_products[turn] + at_ - scan_.first_unit;
    const Units<kVectors> candidate = ScanForwardUnits<kMoving>(weights_, LoadUnits<kVectors>(input), h_, c_);
    if (scan_.h != nullptr) {
      StoreUnits(candidate, scan_.kept + step * scan_.kept_stride + at_);
      StoreUnits(c_, scan_.c + step * scan_.state_stride + at_);
      StoreUnits(h_, scan_.h + step * scan_.state_stride + at_);
    }
    if (scan_.output[turn] != nullptr) StoreFirstUnits(h_, scan_.output[turn] + at_, cell_.units - at_);
  }

  HWY_INLINE void Leave() const {
    StoreUnits(h_, scan_.state_h + at_);
    StoreUnits(c_, scan_.state_c + at_);
  }

 private:
  const CellParameters& cell_;
  const ForwardScan& scan_;
  size_t at_;
  ScanWeights<kVectors> weights_;
  Units<kVectors> h_, c_;
};

template <MovingGates kMoving>
void ForwardOfScanCell(const CellParameters& cell, const ForwardScan& scan) {
  constexpr size_t kTwoStrips = 2 * kScanVectors * kLanes;
  size_t at = scan.first_unit;
  const size_t end = at + scan.units;
  for (; at + kTwoStrips <= end; at += kTwoStrips) {
    // Side by side: while the one waits for its activations, the other has work.
    ForwardUnitsOfScan<kMoving, kScanVectors> strip(cell, scan, at), other(cell, scan, at + kScanVectors * kLanes);
    for (size_t turn = 0; turn < scan.turns; ++turn) {
      if (scan.h != nullptr) PrefetchStates<2 * kScanVectors>(scan, static_cast<ptrdiff_t>(turn) + kTurnsAhead, at);
      strip.Turn(turn);
      other.Turn(turn);
    }
    strip.Leave();
    other.Leave();
  }
  for (; at < end; at += kLanes) {
    ForwardUnitsOfScan<kMoving, 1> strip(cell, scan, at);
    for (size_t turn = 0; turn < scan.turns; ++turn) strip.Turn(turn);
    strip.Leave();
  }
}

template <int kVectors>
void BackwardStrip(const CellParameters& cell, const BackwardScan& scan, size_t at) {
  Units<kVectors> dh = LoadUnits<kVectors>(scan.dh + at), dc = LoadUnits<kVectors>(scan.dc + at);
  GradientSums<kVectors> sums;
  LoadSums(cell, scan.sums, at, sums);
  for (size_t turn = 0; turn < scan.turns; ++turn) {
    const ptrdiff_t state = static_cast<ptrdiff_t>(turn) * scan.state_stride + static_cast<ptrdiff_t>(at);
    if (scan.doutput[turn] != nullptr) dh = dh + LoadFirstUnits<kVectors>(scan.doutput[turn] + at, cell.units - at);
    BackwardOperands operands;
    operands.kept = scan.kept + static_cast<ptrdiff_t>(turn) * scan.kept_stride;
    operands.diagonals = scan.diagonals;
    operands.diagonal_factors = scan.diagonal_factors;
    BackwardUnits(cell, operands, at, LoadUnits<kVectors>(scan.h_before + state),
                  LoadUnits<kVectors>(scan.c_before + state), LoadUnits<kVectors>(scan.c_after + state), dh, dc, sums);
  }
  StoreSums(cell, sums, at, scan.sums);
  StoreUnits(dh, scan.dh + at);
  StoreUnits(dc, scan.dc + at);
}

void BackwardOfAnyCell(const CellParameters& cell, const BackwardScan& scan) {
  size_t at = scan.first_unit;
  const size_t end = at + scan.units;
  for (; at + kScanVectors * kLanes <= end; at += kScanVectors * kLanes) BackwardStrip<kScanVectors>(cell, scan, at);
  for (; at < end; at += kLanes) BackwardStrip<1>(cell, scan, at);
}

template <MovingGates kMoving, int kVectors>
void BackwardStripOfScanCell(const CellParameters& cell, const BackwardScan& scan, size_t at) {
  const ScanWeights<kVectors> weights = LoadWeights<kMoving, kVectors>(cell, scan.diagonals, at);
  Units<kVectors> dh = LoadUnits<kVectors>(scan.dh + at), dc = LoadUnits<kVectors>(scan.dc + at);
  ScanSums<kVectors> sums;
  ClearScanSums(sums);
  for (size_t turn = 0; turn < scan.turns; ++turn) {
    const ptrdiff_t state = static_cast<ptrdiff_t>(turn) * scan.state_stride + static_cast<ptrdiff_t>(at);
    float* kept = scan.kept + static_cast<ptrdiff_t>(turn) * scan.kept_stride + at;
    if (scan.doutput[turn] != nullptr) dh = dh + LoadFirstUnits<kVectors>(scan.doutput[turn] + at, cell.units - at);
    const Units<kVectors> da = ScanBackwardUnits<kMoving>(
        weights, LoadUnits<kVectors>(scan.h_before + state), LoadUnits<kVectors>(scan.c_before + state),
        LoadUnits<kVectors>(scan.c_after + state), LoadUnits<kVectors>(kept), dh, dc, sums);
    StoreUnits(da, kept);
  }
  AddScanSums<kMoving>(cell, sums, scan.diagonal_factors, at, scan.sums);
  StoreUnits(dh, scan.dh + at);
  StoreUnits(dc, scan.dc + at);
}

template <MovingGates kMoving>
void BackwardOfScanCell(const CellParameters& cell, const BackwardScan& scan) {
  size_t at = scan.first_unit;
  const size_t end = at + scan.units;
  for (; at + kScanVectors * kLanes <= end; at += kScanVectors * kLanes) {
    BackwardStripOfScanCell<kMoving, kScanVectors>(cell, scan, at);
  }
  for (; at < end; at += kLanes) BackwardStripOfScanCell<kMoving, 1>(cell, scan, at);
}

template <class Scan>
using ScanFunction = void (*)(const CellParameters& cell, const Scan& scan);

// By which gates move: input, forget and output gate from the highest bit on.
constexpr MovingGates GatesOf(size_t number) { return {(number & 4) != 0, (number & 2) != 0, (number & 1) != 0}; }
constexpr size_t NumberOf(MovingGates gates) { return gates.input * 4u + gates.forget * 2u + gates.output; }

template <size_t... kNumbers>
ScanFunction<ForwardScan> ForwardOf(MovingGates moving, std::index_sequence<kNumbers...>) {
  static constexpr ScanFunction<ForwardScan> kFunctions[] = {ForwardOfScanCell<GatesOf(kNumbers)>...};
  return kFunctions[NumberOf(moving)];
}
template <size_t... kNumbers>
ScanFunction<BackwardScan> BackwardOf(MovingGates moving, std::index_sequence<kNumbers...>) {
  static constexpr ScanFunction<BackwardScan> kFunctions[] = {BackwardOfScanCell<GatesOf(kNumbers)>...};
  return kFunctions[NumberOf(moving)];
}
using GateNumbers = std::make_index_sequence<8>;

void Forward(const CellParameters& cell, const ForwardScan& scan) {
  if (!IsScanCell(cell)) return ForwardOfAnyCell(cell, scan);
  ForwardOf(MovingGatesOf(cell), GateNumbers())(cell, scan);
}

void Backward(const CellParameters& cell, const BackwardScan& scan) {
  if (!IsScanCell(cell)) return BackwardOfAnyCell(cell, scan);
  BackwardOf(MovingGatesOf(cell), GateNumbers())(cell, scan);
}

extern const ScanTable kScanTable;
const ScanTable kScanTable = {Forward, Backward};

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slim {

SLIM_CHOOSE_TABLE(ScanTable, kScanTable)

namespace {

constexpr size_t kScanTurns = RecurrencePlan::kMostChunkTurns;

// Tasks: every panel of units of every group of sequences.
struct ScanTask {
  size_t group, panel;
  size_t begin, end;  // sequences
  size_t first_unit, units;
  size_t width;  // the units rounded up to whole vectors
};

ScanTask TaskOf(const RecurrencePlan& plan, size_t panels, size_t panel_columns, size_t number) {
  ScanTask task;
  task.group = number / panels;
  task.panel = number % panels;
  task.begin = task.group * plan.group_rows;
  task.end = std::min(task.begin + plan.group_rows, plan.batch);
  task.first_unit = task.panel * panel_columns;
  task.units = std::min(panel_columns, plan.units - task.first_unit);
  task.width = (task.units + VectorLanes() - 1) / VectorLanes() * VectorLanes();
  return task;
}

size_t PanelsOf(const RecurrencePlan& plan) { return (plan.units + PanelColumns(plan) - 1) / PanelColumns(plan); }

// What the forward scans read and write.
struct ForwardScans {
  const RecurrenceWork& work;
  const InputProducts& input;
  const StateOutput& output;
  const RecurrenceCache* cache;  // null in inference
  const ForwardScratch& scratch;
};

struct TurnRange {
  size_t begin, end;
};

// The turns of sequence p, from the state in the scratch on, which gets the state after them.
void ScanTurnsForward(const ForwardScans& scans, const ScanTask& task, size_t p, TurnRange turns, int worker) {
  const RecurrencePlan& plan = scans.work.plan;
  const ForwardScratch& scratch = scans.scratch;
  const ptrdiff_t direction = plan.shape.reverse ? -1 : 1;
  const float* input_rows[kScanTurns];
  float* output_rows[kScanTurns];
  ForwardScan scan;
  scan.first_unit = task.first_unit;
  scan.units = task.units;
  scan.input_products = input_rows;
  scan.block_stride = scans.input.BlockStride();
  scan.diagonals = scratch.tables.diagonals + (plan.recurrent_dropout ? p * plan.diagonal_blocks * plan.padded : 0);
  scan.state_h = scratch.h + p * plan.padded;
  scan.state_c = scratch.c + p * plan.padded;
  scan.output = output_rows;
  scan.state_stride = direction * static_cast<ptrdiff_t>(plan.padded);
  scan.kept_stride = direction * static_cast<ptrdiff_t>(plan.kept_width);

  for (size_t turn = turns.begin; turn < turns.end; turn += kScanTurns) {
    scan.turns = std::min(kScanTurns, turns.end - turn);
    scans.input.PanelRows(p, turn, scan.turns, task.panel, worker, input_rows);
    for (size_t j = 0; j < scan.turns; ++j) {
      output_rows[j] = OutputOfTurn(plan, scans.work.sequences, scans.output, p, turn + j);
    }
    if (scans.cache != nullptr) {
      const size_t state = p * plan.state_stride + plan.StateAfter(turn) * plan.padded;
      scan.h = scans.cache->h + state;
      scan.c = scans.cache->c + state;
      scan.kept = scans.cache->kept + p * plan.kept_stride + plan.RowOfTurn(turn) * plan.kept_width;
    } else {
      scan.h = scan.c = scan.kept = nullptr;
    }
    ChosenScanTable().forward(scans.work.cell, scan);
  }
}

void ScanStemForward(const ForwardScans& scans, const ScanTask& task, int worker) {
  const RecurrencePlan& plan = scans.work.plan;
  const Sequences& sequences = scans.work.sequences;
  const UnitRange units = {task.first_unit, task.width};
  const size_t stem = sequences.Stem(plan);
  for (TurnRange turns = {0, 0}; turns.begin < stem; turns.begin = turns.end) {
    turns.end = NextLeaving(plan, sequences, turns.begin);
    ScanTurnsForward(scans, task, plan.batch - 1, turns, worker);
    const SequenceRange leaving = LeavingAfter(plan, sequences, turns.end);
    LeaveStem(leaving, plan, units, scans.scratch.h, scans.scratch.c, plan.padded);
    if (scans.cache == nullptr) continue;
    const size_t state = plan.StateBefore(turns.end) * plan.padded;
    LeaveStem(leaving, plan, units, scans.cache->h + state, scans.cache->c + state, plan.state_stride);
  }
}

// What the backward scans read and write.
struct BackwardScans {
  const RecurrenceWork& work;
  const IncomingGradients& incoming;
  const RecurrenceCache& cache;
  const BackwardScratch& scratch;
};

// The turns of sequence p, the last first, from the gradients in the scratch on.
void ScanTurnsBackward(const BackwardScans& scans, const ScanTask& task, size_t p, TurnRange turns) {
  const RecurrencePlan& plan = scans.work.plan;
  const Sequences& sequences = scans.work.sequences;
  const RecurrenceCache& cache = scans.cache;
  const BackwardScratch& scratch = scans.scratch;
  const ptrdiff_t direction = plan.shape.reverse ? 1 : -1;
  const float* doutput_rows[kScanTurns];
  const size_t diagonals = plan.recurrent_dropout ? p * plan.diagonal_blocks * plan.padded : 0;
  BackwardScan scan;
  scan.first_unit = task.first_unit;
  scan.units = task.units;
  scan.diagonals = scratch.tables.diagonals + diagonals;
  scan.diagonal_factors = plan.recurrent_dropout ? scratch.tables.diagonal_factors + diagonals : nullptr;
  scan.state_stride = direction * static_cast<ptrdiff_t>(plan.padded);
  scan.kept_stride = direction * static_cast<ptrdiff_t>(plan.kept_width);
  scan.doutput = doutput_rows;
  scan.dh = scratch.dh + p * plan.padded;
  scan.dc = scratch.dc + p * plan.padded;
  scan.sums = scratch.group_sums + task.group * plan.sums * plan.padded;

  size_t summed = 0;
  for (size_t left = turns.end; left > turns.begin; left -= scan.turns) {
    const size_t turn = left - 1;
    if (HasMaskedGradients(plan, sequences, p, turn)) {
      AddMaskedGradients(plan, sequences, scans.incoming.states, p, turn, {task.first_unit, task.units}, scan.dh);
    }
    for (scan.turns = 0; scan.turns < std::min(kScanTurns, left - turns.begin); ++scan.turns) {
      const size_t before = turn - scan.turns;
      if (scan.turns > 0 && HasMaskedGradients(plan, sequences, p, before)) break;
      doutput_rows[scan.turns] = GradientOfTurn(plan, sequences, scans.incoming, p, before);
    }
    const size_t state = p * plan.state_stride, before = state + plan.StateBefore(turn) * plan.padded;
    scan.h_before = cache.h + before;
    scan.c_before = cache.c + before;
    scan.c_after = cache.c + state + plan.StateAfter(turn) * plan.padded;
    scan.kept = cache.kept + p * plan.kept_stride + plan.RowOfTurn(turn) * plan.kept_width;
    ChosenScanTable().backward(scans.work.cell, scan);
    summed += scan.turns;
    if (summed < kTurnsPerTotal && left - scan.turns > turns.begin) continue;
    CarrySums(plan, task.group, {task.first_unit, task.units}, scratch);
    summed = 0;
  }
}

void ScanSequenceBackward(const BackwardScans& scans, const ScanTask& task, size_t p) {
  const size_t at = p * scans.work.plan.padded + task.first_unit;
  std::fill_n(scans.scratch.dh + at, task.width, 0.0f);
  std::fill_n(scans.scratch.dc + at, task.width, 0.0f);
  const Sequences& sequences = scans.work.sequences;
  ScanTurnsBackward(scans, task, p,
                    {static_cast<size_t>(sequences.starts[p]), static_cast<size_t>(sequences.lengths[p])});
}

void ScanStemBackward(const BackwardScans& scans, const ScanTask& task) {
  const RecurrencePlan& plan = scans.work.plan;
  const Sequences& sequences = scans.work.sequences;
  for (TurnRange turns = {0, sequences.Stem(plan)}; turns.end > 0; turns.end = turns.begin) {
    turns.begin = LastLeaving(plan, sequences, turns.end);
    JoinStem(LeavingAfter(plan, sequences, turns.end), plan, {task.first_unit, task.units}, scans.scratch.dh,
             scans.scratch.dc);
    ScanTurnsBackward(scans, task, plan.batch - 1, turns);
  }
}

// The panels of the group of the last sequence, in whose rows the stem lies.
ScanTask StemTask(const RecurrencePlan& plan, size_t panels, size_t panel) {
  return TaskOf(plan, panels, PanelColumns(plan), (plan.groups - 1) * panels + panel);
}

}  // namespace

void ScanForward(const RecurrenceWork& work, const InputProducts& input, const StateOutput& output,
                 const RecurrenceCache* cache, const ForwardScratch& scratch, ThreadPool& pool) {
  const RecurrencePlan& plan = work.plan;
  const Sequences& sequences = work.sequences;
  const ForwardScans scans = {work, input, output, cache, scratch};
  const size_t panels = PanelsOf(plan);
  if (sequences.Stem(plan) > 0) {
    pool.ParallelFor(panels,
                     [&](size_t panel, int worker) { ScanStemForward(scans, StemTask(plan, panels, panel), worker); });
  }
  pool.ParallelFor(plan.groups * panels, [&](size_t number, int worker) {
    const ScanTask task = TaskOf(plan, panels, PanelColumns(plan), number);
    const UnitRange units = {task.first_unit, task.units};
    for (size_t p = task.begin; p < task.end; ++p) {
      const size_t length = static_cast<size_t>(sequences.lengths[p]);
      ScanTurnsForward(scans, task, p, {static_cast<size_t>(sequences.starts[p]), length}, worker);
      RepeatMaskedOutputs(plan, sequences, output, p, units);
      RepeatStemOutputs(plan, sequences, output, p, units);
    }
  });
}

void ScanBackward(const RecurrenceWork& work, const IncomingGradients& incoming, const RecurrenceCache& cache,
                  const BackwardScratch& scratch, ThreadPool& pool) {
  const RecurrencePlan& plan = work.plan;
  const BackwardScans scans = {work, incoming, cache, scratch};
  const size_t panels = PanelsOf(plan);
  pool.ParallelFor(plan.groups * panels, [&](size_t number, int) {
    const ScanTask task = TaskOf(plan, panels, PanelColumns(plan), number);
    for (size_t p = task.begin; p < task.end; ++p) ScanSequenceBackward(scans, task, p);
  });
  if (work.sequences.Stem(plan) == 0) return;
  pool.ParallelFor(panels, [&](size_t panel, int) { ScanStemBackward(scans, StemTask(plan, panels, panel)); });
}

}  // namespace slim
#endif
