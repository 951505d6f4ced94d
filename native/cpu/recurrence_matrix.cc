#include "cpu/recurrence_matrix.h"

#include <algorithm>

#include "cpu/recurrence_output.h"
#include "cpu/recurrence_shares.h"
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

// How many of the rows left go together; none is left alone, for which a product takes nearly the time of two.
size_t RowsOfNext(size_t together, size_t left) { return left <= together + 1 ? left : together; }

// States of the sequences, those of sequence 0 at the pointers.
struct StateArrays {
  float* h;
  float* c;
  size_t stride;
};

// The states before a turn. Where no cache keeps them they are those after it, too.
StateArrays StatesBefore(const RecurrencePlan& plan, const RecurrenceCache* cache, const ForwardScratch& scratch,
                         size_t turn) {
  if (cache == nullptr) return {scratch.h, scratch.c, plan.padded};
  const size_t at = plan.StateBefore(turn) * plan.padded;
  return {cache->h + at, cache->c + at, plan.state_stride};
}

// Rows [first, first + count) of the share: h U into the recurrent products.
void MultiplyRecurrent(const RecurrenceWork& work, const Share& share, const StateArrays& before, size_t first,
                       size_t count, const ForwardScratch& scratch) {
  const RecurrencePlan& plan = work.plan;
  const PackedBlocks& packed = work.recurrent_kernel;
  for (int run = 0; run < packed.count; ++run) {
    const size_t block = packed.runs[run].packed * plan.padded;
    Product product;
    product.a.data = plan.recurrent_dropout ? scratch.operands + block : before.h;
    product.a.stride = plan.recurrent_dropout ? plan.full_width : before.stride;
    product.a.index = share.sequences + first;
    product.rows = count;
    product.b = packed.matrices[run];
    product.c = scratch.recurrent_products + (share.first_row + first) * plan.full_width + block;
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
  const float** input_rows = scratch.input_rows + share.first_row;
  float** output_rows = scratch.output_rows + share.first_row;
  walk.input.Rows(chunk, turn, active, input_rows);
  if (turn + 1 < plan.steps) walk.input.Prefetch(chunk, turn + 1, active);
  for (size_t r = 0; r < active; ++r) {
    output_rows[r] = OutputOfTurn(plan, walk.work.sequences, walk.output, share.Sequence(r), turn);
  }
  const StateArrays before = StatesBefore(plan, walk.cache, scratch, turn);
  const StateArrays after = StatesBefore(plan, walk.cache, scratch, turn + 1);
  ForwardStep step;
  step.recurrent_stride = plan.full_width;
  step.diagonals = scratch.tables.diagonals;
  step.diagonal_stride = plan.recurrent_dropout ? plan.diagonal_blocks * plan.padded : 0;
  step.h_before = before.h;
  step.c_before = before.c;
  step.h_after = after.h;
  step.c_after = after.c;
  step.state_stride = before.stride;
  step.kept = walk.cache == nullptr ? nullptr : walk.cache->kept + plan.RowOfTurn(turn) * plan.kept_width;
  step.kept_stride = plan.kept_stride;
  step.kept_count = plan.kept_blocks;
  step.next_state = (plan.shape.reverse ? -1 : 1) * static_cast<ptrdiff_t>(plan.padded);
  step.next_kept = (plan.shape.reverse ? -1 : 1) * static_cast<ptrdiff_t>(plan.kept_width);
  step.full_count = plan.full_blocks;
  step.full_stride = plan.full_width;
  step.full_factors = plan.recurrent_dropout ? scratch.tables.full_factors : nullptr;
  step.operands = plan.recurrent_dropout ? scratch.operands : nullptr;
  step.row_values =
      plan.row_activation ? scratch.row_values + static_cast<size_t>(chunk.worker) * 2 * plan.padded : nullptr;
  for (size_t first = 0; first < active; first += step.rows) {
    step.rows = RowsOfNext(together, active - first);
    step.sequences = share.sequences + first;
    step.input_products = input_rows + first;
    step.output = output_rows + first;
    step.recurrent_products =
        turn > 0 ? scratch.recurrent_products + (share.first_row + first) * plan.full_width : nullptr;
    if (turn > 0) MultiplyRecurrent(walk.work, share, before, first, step.rows, scratch);
    RunForwardStep(walk.work.cell, step);
  }
}

// Whether the last of the `active` sequences that walk a turn have left the stem before it.
bool LeftStemBefore(const Sequences& sequences, const Share& share, size_t turn, size_t active) {
  return turn > 0 && static_cast<size_t>(sequences.starts[share.Sequence(active - 1)]) == turn;
}

// Gives the states after the stem's turns to the sequences that leave it then.
void LeaveStemAfter(const ForwardWalk& walk, size_t turns, WalkProgress stem) {
  const RecurrencePlan& plan = walk.work.plan;
  const SequenceRange leaving = LeavingAfter(plan, walk.work.sequences, turns);
  if (leaving.begin == leaving.end) return;
  const StateArrays states = StatesBefore(plan, walk.cache, walk.scratch, turns);
  LeaveStem(leaving, plan, {0, plan.padded}, states.h, states.c, states.stride);
  stem.Report(turns);
}

void WalkShareForward(const ForwardWalk& walk, const Shares& shares, size_t number, int worker) {
  const RecurrencePlan& plan = walk.work.plan;
  const Sequences& sequences = walk.work.sequences;
  const Share share = shares[number];
  const WalkProgress stem = shares.Progress(0);
  InputProducts::Chunk chunk{share, worker};
  const size_t stem_turns = number == 0 ? sequences.Stem(plan) : 0;
  const size_t turns = static_cast<size_t>(sequences.lengths[share.Sequence(0)]);
  for (size_t turn = sequences.FirstTurn(plan, share.Sequence(0)); turn < turns; ++turn) {
    const size_t active = share.Active(plan, sequences, turn);
    if (number > 0 && LeftStemBefore(sequences, share, turn, active)) stem.WaitFor(turn);
    WalkTurnForward(walk, share, chunk, turn, active);
    if (turn < stem_turns) LeaveStemAfter(walk, turn + 1, stem);
  }
  for (size_t r = 0; r < share.count; ++r) {
    RepeatMaskedOutputs(plan, sequences, walk.output, share.Sequence(r), {0, plan.units});
    RepeatStemOutputs(plan, sequences, walk.output, share.Sequence(r), {0, plan.units});
  }
}

// dh += or = what comes through the full recurrent products of the first `count` sequences of the share, whose
// gradients lie in the turn's row of `gradients`.
void MultiplyRecurrentBackward(const RecurrenceWork& work, const Share& share, const float* gradients, size_t count,
                               const BackwardScratch& scratch) {
  const RecurrencePlan& plan = work.plan;
  const PackedBlocks& packed = work.recurrent_kernel;
  for (int run = 0; run < packed.count; ++run) {
    Product product;
    product.a.data = gradients + packed.runs[run].place * plan.padded;
    product.a.stride = plan.kept_stride;
    product.a.index = share.sequences;
    product.rows = count;
    product.b = packed.matrices[run];
    product.accumulate = !plan.recurrent_dropout;
    product.c = (plan.recurrent_dropout ? scratch.dh_block : scratch.dh) + share.first_row * plan.padded;
    product.c_stride = plan.padded;
    MultiplyPart(product, 0, count, 0, product.b.Panels());
    if (!plan.recurrent_dropout) continue;
    const float* factors = scratch.tables.full_factors + packed.runs[run].packed * plan.padded;
    for (size_t r = 0; r < count; ++r) {
      const size_t row = (share.first_row + r) * plan.padded;
      MultiplyAddRow(plan.units, scratch.dh_block + row, factors + share.Sequence(r) * plan.full_width,
                     scratch.dh + row);
    }
  }
}

// One turn of the first `active` sequences of the share.
void WalkTurnBackward(const BackwardWalk& walk, const Share& share, size_t turn, size_t active, int worker) {
  const RecurrencePlan& plan = walk.work.plan;
  const Sequences& sequences = walk.work.sequences;
  const RecurrenceCache& cache = walk.cache;
  const BackwardScratch& scratch = walk.scratch;
  const float** doutputs = scratch.doutputs + share.first_row;
  float* dh = scratch.dh + share.first_row * plan.padded;
  const size_t diagonal_width = plan.diagonal_blocks * plan.padded;
  for (size_t r = 0; r < active; ++r) {
    const size_t p = share.Sequence(r);
    doutputs[r] = GradientOfTurn(plan, sequences, walk.incoming, p, turn);
    if (HasMaskedGradients(plan, sequences, p, turn)) {
      AddMaskedGradients(plan, sequences, walk.incoming.states, p, turn, {0, plan.units}, dh + r * plan.padded);
    }
  }
  const size_t before = plan.StateBefore(turn) * plan.padded;
  BackwardStep step;
  step.rows = active;
  step.sequences = share.sequences;
  step.kept = cache.kept + plan.RowOfTurn(turn) * plan.kept_width;
  step.kept_stride = plan.kept_stride;
  step.kept_count = plan.kept_blocks;
  step.next_state = (plan.shape.reverse ? 1 : -1) * static_cast<ptrdiff_t>(plan.padded);
  step.next_kept = (plan.shape.reverse ? 1 : -1) * static_cast<ptrdiff_t>(plan.kept_width);
  step.diagonal_stride = plan.recurrent_dropout ? diagonal_width : 0;
  step.diagonals = scratch.tables.diagonals;
  step.diagonal_factors = plan.recurrent_dropout ? scratch.tables.diagonal_factors : nullptr;
  step.diagonal_factor_stride = diagonal_width;
  step.h_before = cache.h + before;
  step.c_before = cache.c + before;
  const size_t after = plan.StateAfter(turn) * plan.padded;
  step.h_after = cache.h + after;
  step.c_after = cache.c + after;
  step.state_stride = plan.state_stride;
  step.dh = dh;
  step.dc = scratch.dc + share.first_row * plan.padded;
  step.gradient_stride = plan.padded;
  step.doutput = doutputs;
  step.sums = scratch.group_sums;
  step.sums_stride = plan.sums * plan.padded;
  step.group_rows = plan.group_rows;
  step.row_values = plan.row_activation ? scratch.row_values + static_cast<size_t>(worker) * 2 * plan.padded : nullptr;
  RunBackwardStep(walk.work.cell, step);
  if (turn > 0) MultiplyRecurrentBackward(walk.work, share, step.kept, active, scratch);
}

// Carries the sums of the share's groups over after every kTurnsPerTotal turns and after the last one.
void CarryShareSums(const BackwardWalk& walk, const Share& share, size_t turn, size_t last) {
  if (turn % kTurnsPerTotal != 0 && turn != last) return;
  const RecurrencePlan& plan = walk.work.plan;
  for (size_t r = 0; r < share.count; ++r) {
    const size_t p = share.Sequence(r);
    if (p % plan.group_rows == 0) CarrySums(plan, p / plan.group_rows, {0, plan.units}, walk.scratch);
  }
}

// Before the stem's turn: what comes from the sequences that leave the stem after it, once they have come so far.
void JoinStemAt(const BackwardWalk& walk, const Shares& shares, size_t turn) {
  const RecurrencePlan& plan = walk.work.plan;
  const BackwardScratch& scratch = walk.scratch;
  const size_t stem = shares.RowOf(plan.batch - 1) * plan.padded;
  const SequenceRange leaving = LeavingAfter(plan, walk.work.sequences, turn + 1);
  for (size_t p = leaving.begin; p < leaving.end; ++p) {
    const size_t owner = shares.OwnerOf(p), row = shares.RowOf(p) * plan.padded;
    if (owner != 0) shares.Progress(owner).WaitFor(plan.steps - turn - 1);
    AddRow(plan.units, scratch.dh + row, scratch.dh + stem);
    AddRow(plan.units, scratch.dc + row, scratch.dc + stem);
  }
}

// Progress is in turns walked back.
void WalkShareBackward(const BackwardWalk& walk, const Shares& shares, size_t number, int worker) {
  const RecurrencePlan& plan = walk.work.plan;
  const Sequences& sequences = walk.work.sequences;
  const Share share = shares[number];
  WalkProgress progress = shares.Progress(number);
  std::fill_n(walk.scratch.dh + share.first_row * plan.padded, share.count * plan.padded, 0.0f);
  std::fill_n(walk.scratch.dc + share.first_row * plan.padded, share.count * plan.padded, 0.0f);
  const size_t stem_turns = number == 0 ? sequences.Stem(plan) : 0;
  const size_t first = sequences.FirstTurn(plan, share.Sequence(0));
  for (size_t turn = static_cast<size_t>(sequences.lengths[share.Sequence(0)]); turn-- > first;) {
    const size_t active = share.Active(plan, sequences, turn);
    if (turn < stem_turns) JoinStemAt(walk, shares, turn);
    WalkTurnBackward(walk, share, turn, active, worker);
    CarryShareSums(walk, share, turn, first);
    if (number > 0 && LeftStemBefore(sequences, share, turn, active)) progress.Report(plan.steps - turn);
  }
}

}  // namespace

// The share with the stem's turns is number 0. In the forward pass the others wait for it where their sequences leave
// the stem, in the backward pass it waits for them. Tasks begin in their order, so that what another one waits for has
// begun.

void WalkForward(const ForwardWalk& walk, ThreadPool& pool) {
  const Shares shares(walk.work.plan, walk.work.sequences, pool, walk.scratch.tables.shares);
  pool.ParallelFor(shares.count(), [&](size_t number, int worker) { WalkShareForward(walk, shares, number, worker); });
}

void WalkBackward(const BackwardWalk& walk, ThreadPool& pool) {
  const Shares shares(walk.work.plan, walk.work.sequences, pool, walk.scratch.tables.shares);
  pool.ParallelFor(shares.count(), [&](size_t task, int worker) {
    WalkShareBackward(walk, shares, shares.count() - 1 - task, worker);
  });
}

}  // namespace slim
