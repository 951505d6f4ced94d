#include "cpu/recurrence_scan.h"

#include <algorithm>

#include "cpu/recurrence_output.h"
#include "cpu/recurrence_scan_kernels.h"
#include "cpu/recurrence_stem.h"
#include "cpu/recurrence_sums.h"
#include "hwy/cache_control.h"

namespace slim {
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

// What the second-level caches of the threads may hold from the forward to the backward pass.
constexpr size_t kCachedBytes = size_t{4} << 20;

bool Streams(const RecurrencePlan& plan) {
  return plan.batch * (plan.kept_stride + 2 * plan.state_stride) * sizeof(float) > kCachedBytes;
}

struct TurnRange {
  size_t begin, end;
};

// The turns of sequence p, from the state in the scratch on, which gets the state after them.
void ScanTurnsForward(const ForwardWalk& walk, const ScanTask& task, size_t p, TurnRange turns, int worker) {
  const RecurrencePlan& plan = walk.work.plan;
  const ForwardScratch& scratch = walk.scratch;
  const ptrdiff_t direction = plan.shape.reverse ? -1 : 1;
  const float* input_rows[kScanTurns];
  float* output_rows[kScanTurns];
  const float* ahead_rows[kScanTurns];
  ForwardScan scan;
  scan.first_unit = task.first_unit;
  scan.units = task.units;
  scan.input_products = input_rows;
  scan.block_stride = walk.input.BlockStride();
  scan.diagonals = scratch.tables.diagonals + (plan.recurrent_dropout ? p * plan.diagonal_blocks * plan.padded : 0);
  scan.state_h = scratch.h + p * plan.padded;
  scan.state_c = scratch.c + p * plan.padded;
  scan.streams = Streams(plan);
  scan.output = output_rows;
  scan.state_stride = direction * static_cast<ptrdiff_t>(plan.padded);
  scan.kept_stride = direction * static_cast<ptrdiff_t>(plan.kept_width);

  for (size_t turn = turns.begin; turn < turns.end; turn += kScanTurns) {
    scan.turns = std::min(kScanTurns, turns.end - turn);
    walk.input.PanelRows(p, turn, scan.turns, task.panel, worker, input_rows);
    scan.ahead = {ahead_rows, walk.input.RowsFrom(p, turn + scan.turns, turns.end, ahead_rows), plan.inputs};
    // Without return_sequences no state but the last leaves the layer.
    const size_t first_seen = plan.shape.return_sequences ? 0 : scan.turns - 1;
    std::fill_n(output_rows, first_seen, nullptr);
    for (size_t j = first_seen; j < scan.turns; ++j) {
      output_rows[j] = OutputOfTurn(plan, walk.work.sequences, walk.output, p, turn + j);
    }
    if (walk.cache != nullptr) {
      const size_t state = p * plan.state_stride + plan.StateAfter(turn) * plan.padded;
      scan.h = walk.cache->h + state;
      scan.c = walk.cache->c + state;
      scan.kept = walk.cache->kept + p * plan.kept_stride + plan.RowOfTurn(turn) * plan.kept_width;
    } else {
      scan.h = scan.c = scan.kept = nullptr;
    }
    RunForwardScan(walk.work.cell, scan);
  }
}

void ScanStemForward(const ForwardWalk& walk, const ScanTask& task, int worker) {
  const RecurrencePlan& plan = walk.work.plan;
  const Sequences& sequences = walk.work.sequences;
  const UnitRange units = {task.first_unit, task.width};
  const size_t stem = sequences.Stem(plan);
  for (TurnRange turns = {0, 0}; turns.begin < stem; turns.begin = turns.end) {
    turns.end = NextLeaving(plan, sequences, turns.begin);
    ScanTurnsForward(walk, task, plan.batch - 1, turns, worker);
    const SequenceRange leaving = LeavingAfter(plan, sequences, turns.end);
    LeaveStem(leaving, plan, units, walk.scratch.h, walk.scratch.c, plan.padded);
    if (walk.cache == nullptr) continue;
    const size_t state = plan.StateBefore(turns.end) * plan.padded;
    LeaveStem(leaving, plan, units, walk.cache->h + state, walk.cache->c + state, plan.state_stride);
  }
  if (Streams(plan)) hwy::FlushStream();
}

// The turns of sequence p, the last first, from the gradients in the scratch on.
void ScanTurnsBackward(const BackwardWalk& walk, const ScanTask& task, size_t p, TurnRange turns,
                       ScanKernelGradient::Sum* kernel) {
  const RecurrencePlan& plan = walk.work.plan;
  const Sequences& sequences = walk.work.sequences;
  const RecurrenceCache& cache = walk.cache;
  const BackwardScratch& scratch = walk.scratch;
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
      AddMaskedGradients(plan, sequences, walk.incoming.states, p, turn, {task.first_unit, task.units}, scan.dh);
    }
    for (scan.turns = 0; scan.turns < std::min(kScanTurns, left - turns.begin); ++scan.turns) {
      const size_t before = turn - scan.turns;
      if (scan.turns > 0 && HasMaskedGradients(plan, sequences, p, before)) break;
      const bool seen = plan.shape.return_sequences || scan.turns == 0;
      doutput_rows[scan.turns] = seen ? GradientOfTurn(plan, sequences, walk.incoming, p, before) : nullptr;
    }
    const size_t state = p * plan.state_stride;
    const size_t before = state + plan.StateBefore(turn) * plan.padded;
    const size_t after = state + plan.StateAfter(turn) * plan.padded;
    scan.h_before = cache.h + before;
    scan.c_before = cache.c + before;
    scan.h_after = cache.h + after;
    scan.c_after = cache.c + after;
    scan.kept = cache.kept + p * plan.kept_stride + plan.RowOfTurn(turn) * plan.kept_width;
    if (kernel != nullptr) {
      const ComingRows coming = {
          {scan.h_before + task.first_unit, scan.c_before + task.first_unit, scan.kept + task.first_unit},
          {scan.state_stride, scan.state_stride, scan.kept_stride},
          task.units};
      scan.ahead = {kernel->TakeTurns(p, turn, scan.turns, coming), scan.turns, plan.inputs};
    }
    RunBackwardScan(walk.work.cell, scan);
    summed += scan.turns;
    if (summed < kTurnsPerTotal && left - scan.turns > turns.begin) continue;
    CarrySums(plan, task.group, {task.first_unit, task.units}, scratch);
    summed = 0;
  }
}

void ScanSequenceBackward(const BackwardWalk& walk, const ScanTask& task, size_t p, ScanKernelGradient::Sum* kernel) {
  const size_t at = p * walk.work.plan.padded + task.first_unit;
  std::fill_n(walk.scratch.dh + at, task.width, 0.0f);
  std::fill_n(walk.scratch.dc + at, task.width, 0.0f);
  const Sequences& sequences = walk.work.sequences;
  ScanTurnsBackward(walk, task, p,
                    {static_cast<size_t>(sequences.starts[p]), static_cast<size_t>(sequences.lengths[p])}, kernel);
}

void ScanStemBackward(const BackwardWalk& walk, const ScanTask& task) {
  const RecurrencePlan& plan = walk.work.plan;
  const Sequences& sequences = walk.work.sequences;
  for (TurnRange turns = {0, sequences.Stem(plan)}; turns.end > 0; turns.end = turns.begin) {
    turns.begin = LastLeaving(plan, sequences, turns.end);
    JoinStem(LeavingAfter(plan, sequences, turns.end), plan, {task.first_unit, task.units}, walk.scratch.dh,
             walk.scratch.dc);
    ScanTurnsBackward(walk, task, plan.batch - 1, turns, nullptr);
  }
}

// The panels of the group of the last sequence, in whose rows the stem lies.
ScanTask StemTask(const RecurrencePlan& plan, size_t panels, size_t panel) {
  return TaskOf(plan, panels, PanelColumns(plan), (plan.groups - 1) * panels + panel);
}

}  // namespace

void ScanForward(const ForwardWalk& walk, ThreadPool& pool) {
  const RecurrencePlan& plan = walk.work.plan;
  const Sequences& sequences = walk.work.sequences;
  const size_t panels = PanelsOf(plan);
  if (sequences.Stem(plan) > 0) {
    pool.ParallelFor(panels,
                     [&](size_t panel, int worker) { ScanStemForward(walk, StemTask(plan, panels, panel), worker); });
  }
  pool.ParallelFor(plan.groups * panels, [&](size_t number, int worker) {
    const ScanTask task = TaskOf(plan, panels, PanelColumns(plan), number);
    const UnitRange units = {task.first_unit, task.units};
    for (size_t p = task.begin; p < task.end; ++p) {
      const size_t length = static_cast<size_t>(sequences.lengths[p]);
      ScanTurnsForward(walk, task, p, {static_cast<size_t>(sequences.starts[p]), length}, worker);
      RepeatMaskedOutputs(plan, sequences, walk.output, p, units);
      RepeatStemOutputs(plan, sequences, walk.output, p, units);
    }
    if (Streams(plan)) hwy::FlushStream();  // other threads may read it
  });
}

void ScanBackward(const BackwardWalk& walk, const ScanKernelGradient* kernel, ThreadPool& pool) {
  const RecurrencePlan& plan = walk.work.plan;
  const size_t panels = PanelsOf(plan);
  // Number i of some sequences or groups: in the order in which their rows lie before each other in memory.
  const auto in_turn = [&](size_t first, size_t count, size_t i) {
    return plan.shape.reverse ? first + i : first + count - 1 - i;
  };
  const auto scan_group = [&](size_t group, size_t panel, ScanKernelGradient::Sum* sum) {
    const ScanTask task = TaskOf(plan, panels, PanelColumns(plan), group * panels + panel);
    const size_t count = task.end - task.begin;
    for (size_t i = 0; i < count; ++i) ScanSequenceBackward(walk, task, in_turn(task.begin, count, i), sum);
  };
  if (kernel == nullptr) {
    pool.ParallelFor(plan.groups * panels,
                     [&](size_t number, int) { scan_group(number / panels, number % panels, nullptr); });
  } else {
    const size_t slices = kernel->slices();
    pool.ParallelFor(slices * panels, [&](size_t number, int worker) {
      const size_t slice = number / panels, panel = number % panels;
      ScanKernelGradient::Sum sum(*kernel, slice, panel, worker);
      const size_t first = slice * plan.groups / slices, count = (slice + 1) * plan.groups / slices - first;
      for (size_t i = 0; i < count; ++i) scan_group(in_turn(first, count, i), panel, &sum);
      sum.Finish();
    });
  }
  if (walk.work.sequences.Stem(plan) == 0) return;
  pool.ParallelFor(panels, [&](size_t panel, int) { ScanStemBackward(walk, StemTask(plan, panels, panel)); });
}

}  // namespace slim
