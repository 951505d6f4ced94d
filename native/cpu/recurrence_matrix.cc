#include "cpu/recurrence_matrix.h"

#include <algorithm>

#include "cpu/recurrence_output.h"
#include "cpu/recurrence_stem.h"
#include "cpu/recurrence_sums.h"
#include "cpu/row_operations.h"

namespace slim {
namespace {

// While all weights of a step stay in the second-level cache, this many sequences go through the products and the cell
// together, so that the products are still near when the cell reads them.
constexpr size_t kNearRows = 12;
constexpr size_t kNearBytes = size_t{512} << 10;

size_t RowsTogether(const RecurrencePlan& plan) {
  return plan.units * plan.full_width * sizeof(float) <= kNearBytes ? kNearRows : plan.batch;
}

// A thread's share of the sequences.
struct Share {
  size_t begin, end;
  int worker;
};

// The walk of the stem is that of a share of the last sequence alone.
Share StemShare(const RecurrencePlan& plan, int worker) { return {plan.batch - 1, plan.batch, worker}; }

// States of the sequences, the first of them at the pointers.
struct StateArrays {
  float* h;
  float* c;
  size_t stride;

  StateArrays From(size_t sequence) const { return {h + sequence * stride, c + sequence * stride, stride}; }
};

// The states before a turn. Where no cache keeps them they are those after it, too.
StateArrays StatesBefore(const RecurrencePlan& plan, const RecurrenceCache* cache, const ForwardScratch& scratch,
                         size_t turn) {
  if (cache == nullptr) return {scratch.h, scratch.c, plan.padded};
  const size_t at = plan.StateBefore(turn) * plan.padded;
  return {cache->h + at, cache->c + at, plan.state_stride};
}

// rows [first, first + count) of the share: h U into the recurrent products.
void MultiplyRecurrent(const RecurrenceWork& work, const Share& share, const StateArrays& before, size_t first,
                       size_t count, const ForwardScratch& scratch) {
  const RecurrencePlan& plan = work.plan;
  const PackedBlocks& packed = work.recurrent_kernel;
  const size_t p = share.begin + first;
  for (int run = 0; run < packed.count; ++run) {
    const size_t offset = p * plan.full_width + packed.runs[run].packed * plan.padded;
    Product product;
    product.a.data = plan.recurrent_dropout ? scratch.operands + offset : before.h + first * before.stride;
    product.a.stride = plan.recurrent_dropout ? plan.full_width : before.stride;
    product.rows = count;
    product.b = packed.matrices[run];
    product.c = scratch.recurrent_products + offset;
    product.c_stride = plan.full_width;
    MultiplyPart(product, 0, count, 0, product.b.Panels());
  }
}

// One turn of the first `active` sequences of the share.
void WalkTurnForward(const ForwardWalk& walk, const Share& share, InputProducts::Chunk& chunk, size_t turn,
                     size_t active) {
  const RecurrencePlan& plan = walk.work.plan;
  const ForwardScratch& scratch = walk.scratch;
  const size_t together = RowsTogether(plan);
  const float** input_rows = scratch.input_rows + share.begin;
  float** output_rows = scratch.output_rows + share.begin;
  walk.input.Rows(chunk, turn, active, input_rows);
  for (size_t r = 0; r < active; ++r) {
    output_rows[r] = OutputOfTurn(plan, walk.work.sequences, walk.output, share.begin + r, turn);
  }
  const StateArrays before = StatesBefore(plan, walk.cache, scratch, turn).From(share.begin);
  const StateArrays after = StatesBefore(plan, walk.cache, scratch, turn + 1).From(share.begin);
  for (size_t first = 0; first < active; first += together) {
    const size_t count = std::min(together, active - first);
    const size_t p = share.begin + first;
    if (turn > 0) MultiplyRecurrent(walk.work, share, before, first, count, scratch);
    ForwardStep step;
    step.rows = count;
    step.input_products = input_rows + first;
    step.recurrent_products = turn > 0 ? scratch.recurrent_products + p * plan.full_width : nullptr;
    step.recurrent_stride = plan.full_width;
    const size_t diagonal_width = plan.diagonal_blocks * plan.padded;
    step.diagonal_stride = plan.recurrent_dropout ? diagonal_width : 0;
    step.diagonals = scratch.tables.diagonals + p * step.diagonal_stride;
    step.h_before = before.h + first * before.stride;
    step.c_before = before.c + first * before.stride;
    step.h_after = after.h + first * after.stride;
    step.c_after = after.c + first * after.stride;
    step.state_stride = before.stride;
    step.kept = walk.cache == nullptr
                    ? nullptr
                    : walk.cache->kept + p * plan.kept_stride + plan.RowOfTurn(turn) * plan.kept_width;
    step.kept_stride = plan.kept_stride;
    step.output = output_rows + first;
    step.full_count = plan.full_blocks;
    step.full_stride = plan.full_width;
    step.full_factors = plan.recurrent_dropout ? scratch.tables.full_factors + p * plan.full_width : nullptr;
    step.operands = plan.recurrent_dropout ? scratch.operands + p * plan.full_width : nullptr;
    step.row_values =
        plan.row_activation ? scratch.row_values + static_cast<size_t>(share.worker) * 2 * plan.padded : nullptr;
    RunForwardStep(walk.work.cell, step);
  }
}

void WalkStemForward(const ForwardWalk& walk, int worker, WalkProgress& progress) {
  const RecurrencePlan& plan = walk.work.plan;
  const Sequences& sequences = walk.work.sequences;
  const Share share = StemShare(plan, worker);
  InputProducts::Chunk chunk{share.begin, share.end, worker};
  for (size_t turn = 0; turn < sequences.Stem(plan); ++turn) {
    WalkTurnForward(walk, share, chunk, turn, 1);
    const SequenceRange leaving = LeavingAfter(plan, sequences, turn + 1);
    if (leaving.begin == leaving.end) continue;
    const StateArrays states = StatesBefore(plan, walk.cache, walk.scratch, turn + 1);
    LeaveStem(leaving, plan, {0, plan.padded}, states.h, states.c, states.stride);
    progress.Report(turn + 1);
  }
}

void WalkShareForward(const ForwardWalk& walk, const Share& share, const WalkProgress& stem) {
  const RecurrencePlan& plan = walk.work.plan;
  const Sequences& sequences = walk.work.sequences;
  InputProducts::Chunk chunk{share.begin, share.end, share.worker};
  const size_t turns = static_cast<size_t>(sequences.lengths[share.begin]);
  for (size_t turn = static_cast<size_t>(sequences.starts[share.begin]); turn < turns; ++turn) {
    const size_t active = sequences.Active(share.begin, share.end, turn);
    if (turn > 0 && static_cast<size_t>(sequences.starts[share.begin + active - 1]) == turn) stem.WaitFor(turn);
    WalkTurnForward(walk, share, chunk, turn, active);
  }
  for (size_t p = share.begin; p < share.end; ++p) {
    RepeatMaskedOutputs(plan, sequences, walk.output, p, {0, plan.units});
    RepeatStemOutputs(plan, sequences, walk.output, p, {0, plan.units});
  }
}

// dh += or = what comes through the full recurrent products of the rows [first, first + count) of the share.
void MultiplyRecurrentBackward(const RecurrenceWork& work, const Share& share, const float* gradients, size_t count,
                               const BackwardScratch& scratch) {
  const RecurrencePlan& plan = work.plan;
  const PackedBlocks& packed = work.recurrent_kernel;
  for (int run = 0; run < packed.count; ++run) {
    Product product;
    product.a.data = gradients + packed.runs[run].place * plan.padded;
    product.a.stride = plan.kept_stride;
    product.rows = count;
    product.b = packed.matrices[run];
    product.accumulate = !plan.recurrent_dropout;
    product.c = (plan.recurrent_dropout ? scratch.dh_block : scratch.dh) + share.begin * plan.padded;
    product.c_stride = plan.padded;
    MultiplyPart(product, 0, count, 0, product.b.Panels());
    if (!plan.recurrent_dropout) continue;
    for (size_t r = 0; r < count; ++r) {
      const size_t p = share.begin + r;
      MultiplyAddRow(plan.units, scratch.dh_block + p * plan.padded,
                     scratch.tables.full_factors + p * plan.full_width + packed.runs[run].packed * plan.padded,
                     scratch.dh + p * plan.padded);
    }
  }
}

// One turn of the first `active` sequences of the share.
void WalkTurnBackward(const BackwardWalk& walk, const Share& share, size_t turn, size_t active) {
  const RecurrencePlan& plan = walk.work.plan;
  const Sequences& sequences = walk.work.sequences;
  const RecurrenceCache& cache = walk.cache;
  const BackwardScratch& scratch = walk.scratch;
  const float** doutputs = scratch.doutputs + share.begin;
  const size_t diagonal_width = plan.diagonal_blocks * plan.padded;
  for (size_t r = 0; r < active; ++r) {
    const size_t p = share.begin + r;
    doutputs[r] = GradientOfTurn(plan, sequences, walk.incoming, p, turn);
    if (HasMaskedGradients(plan, sequences, p, turn)) {
      AddMaskedGradients(plan, sequences, walk.incoming.states, p, turn, {0, plan.units}, scratch.dh + p * plan.padded);
    }
  }
  const size_t state = share.begin * plan.state_stride;
  const size_t before = state + plan.StateBefore(turn) * plan.padded;
  BackwardStep step;
  step.rows = active;
  step.kept = cache.kept + share.begin * plan.kept_stride + plan.RowOfTurn(turn) * plan.kept_width;
  step.kept_stride = plan.kept_stride;
  step.kept_count = plan.kept_blocks;
  step.next_state = (plan.shape.reverse ? 1 : -1) * static_cast<ptrdiff_t>(plan.padded);
  step.next_kept = (plan.shape.reverse ? 1 : -1) * static_cast<ptrdiff_t>(plan.kept_width);
  step.diagonal_stride = plan.recurrent_dropout ? diagonal_width : 0;
  step.diagonals = scratch.tables.diagonals + share.begin * step.diagonal_stride;
  step.diagonal_factors =
      plan.recurrent_dropout ? scratch.tables.diagonal_factors + share.begin * diagonal_width : nullptr;
  step.diagonal_factor_stride = diagonal_width;
  step.h_before = cache.h + before;
  step.c_before = cache.c + before;
  step.c_after = cache.c + state + plan.StateAfter(turn) * plan.padded;
  step.state_stride = plan.state_stride;
  step.dh = scratch.dh + share.begin * plan.padded;
  step.dc = scratch.dc + share.begin * plan.padded;
  step.gradient_stride = plan.padded;
  step.doutput = doutputs;
  step.sums = scratch.group_sums + share.begin / plan.group_rows * plan.sums * plan.padded;
  step.sums_stride = plan.sums * plan.padded;
  step.group_rows = plan.group_rows;
  step.row_values =
      plan.row_activation ? scratch.row_values + static_cast<size_t>(share.worker) * 2 * plan.padded : nullptr;
  RunBackwardStep(walk.work.cell, step);
  if (turn > 0) MultiplyRecurrentBackward(walk.work, share, step.kept, active, scratch);
}

// Carries the sums of the share's groups over after every kTurnsPerTotal turns and after the last one.
void CarryShareSums(const BackwardWalk& walk, const Share& share, size_t turn, size_t last) {
  if (turn % kTurnsPerTotal != 0 && turn != last) return;
  const RecurrencePlan& plan = walk.work.plan;
  for (size_t p = share.begin; p < share.end; p += plan.group_rows) {
    CarrySums(plan, p / plan.group_rows, {0, plan.units}, walk.scratch);
  }
}

void WalkShareBackward(const BackwardWalk& walk, const Share& share, WalkProgress& progress) {
  const RecurrencePlan& plan = walk.work.plan;
  const Sequences& sequences = walk.work.sequences;
  const size_t rows = share.end - share.begin;
  std::fill_n(walk.scratch.dh + share.begin * plan.padded, rows * plan.padded, 0.0f);
  std::fill_n(walk.scratch.dc + share.begin * plan.padded, rows * plan.padded, 0.0f);
  const size_t first = static_cast<size_t>(sequences.starts[share.begin]);
  for (size_t turn = static_cast<size_t>(sequences.lengths[share.begin]); turn-- > first;) {
    const size_t active = sequences.Active(share.begin, share.end, turn);
    WalkTurnBackward(walk, share, turn, active);
    CarryShareSums(walk, share, turn, first);
    if (turn > 0 && static_cast<size_t>(sequences.starts[share.begin + active - 1]) == turn) {
      progress.Report(plan.steps - turn);
    }
  }
}

// `bounds` are those of the shares, whose progress is in turns walked back.
void WalkStemBackward(const BackwardWalk& walk, size_t shares, int worker) {
  const RecurrencePlan& plan = walk.work.plan;
  const Sequences& sequences = walk.work.sequences;
  const RecurrenceTables& tables = walk.scratch.tables;
  const Share share = StemShare(plan, worker);
  for (size_t turn = sequences.Stem(plan); turn-- > 0;) {
    const SequenceRange leaving = LeavingAfter(plan, sequences, turn + 1);
    for (size_t k = 0; k < shares && leaving.begin < leaving.end; ++k) {
      const bool holds_some =
          static_cast<size_t>(tables.bounds[k])<leaving.end&& static_cast<size_t>(tables.bounds[k + 1])> leaving.begin;
      if (holds_some) WalkProgress(tables.progress[k]).WaitFor(plan.steps - turn - 1);
    }
    JoinStem(leaving, plan, {0, plan.units}, walk.scratch.dh, walk.scratch.dc);
    WalkTurnBackward(walk, share, turn, 1);
    CarryShareSums(walk, share, turn, 0);
  }
}

}  // namespace

// The stem is walked by the thread of the last share, whose sequences leave it last: before the share's own turns in
// the forward pass and after them in the backward pass. Tasks begin in their order, so that what another one waits for
// has begun.

void WalkForward(const ForwardWalk& walk, ThreadPool& pool) {
  const RecurrenceTables& tables = walk.scratch.tables;
  const size_t threads = static_cast<size_t>(pool.threads());
  const size_t shares = DivideSequences(walk.work.plan, walk.work.sequences, threads, tables.bounds);
  tables.progress[0] = 0;
  pool.ParallelFor(shares, [&](size_t task, int worker) {
    const size_t number = shares - 1 - task;
    const Share share = {static_cast<size_t>(tables.bounds[number]), static_cast<size_t>(tables.bounds[number + 1]),
                         worker};
    WalkProgress stem(tables.progress[0]);
    if (task == 0) WalkStemForward(walk, worker, stem);
    WalkShareForward(walk, share, stem);
  });
}

void WalkBackward(const BackwardWalk& walk, ThreadPool& pool) {
  const RecurrenceTables& tables = walk.scratch.tables;
  const size_t threads = static_cast<size_t>(pool.threads());
  const size_t shares = DivideSequences(walk.work.plan, walk.work.sequences, threads, tables.bounds);
  std::fill_n(tables.progress, shares, 0);
  pool.ParallelFor(shares, [&](size_t number, int worker) {
    const Share share = {static_cast<size_t>(tables.bounds[number]), static_cast<size_t>(tables.bounds[number + 1]),
                         worker};
    WalkProgress progress(tables.progress[number]);
    WalkShareBackward(walk, share, progress);
    if (number + 1 == shares) WalkStemBackward(walk, shares, worker);
  });
}

}  // namespace slim
