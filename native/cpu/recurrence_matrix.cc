#include "cpu/recurrence_matrix.h"

#include <algorithm>

#include "cpu/recurrence_output.h"
#include "cpu/recurrence_rows.h"
#include "cpu/recurrence_sums.h"

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

// Where the states of the sequences from `begin` on lie.
struct StateArrays {
  float* h;
  float* c;
  size_t stride;
};

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

void WalkShareForward(const RecurrenceWork& work, const InputProducts& input, const StateOutput& output,
                      const RecurrenceCache* cache, const ForwardScratch& scratch, const Share& share) {
  const RecurrencePlan& plan = work.plan;
  const Sequences& sequences = work.sequences;
  const size_t together = RowsTogether(plan);
  InputProducts::Chunk chunk{share.begin, share.end, share.worker};
  const float** input_rows = scratch.input_rows + share.begin;
  float** output_rows = scratch.output_rows + share.begin;
  const size_t turns = static_cast<size_t>(sequences.lengths[share.begin]);

  for (size_t turn = 0; turn < turns; ++turn) {
    const size_t active = sequences.Active(share.begin, share.end, turn);
    input.Rows(chunk, turn, active, input_rows);
    for (size_t r = 0; r < active; ++r) {
      output_rows[r] = OutputOfTurn(plan, sequences, output, share.begin + r, turn);
    }
    StateArrays before, after;
    if (cache == nullptr) {
      before = {scratch.h + share.begin * plan.padded, scratch.c + share.begin * plan.padded, plan.padded};
      after = before;
    } else {
      const size_t at_before = share.begin * plan.state_stride + plan.StateBefore(turn) * plan.padded;
      const size_t at_after = share.begin * plan.state_stride + plan.StateAfter(turn) * plan.padded;
      before = {cache->h + at_before, cache->c + at_before, plan.state_stride};
      after = {cache->h + at_after, cache->c + at_after, plan.state_stride};
    }
    for (size_t first = 0; first < active; first += together) {
      const size_t count = std::min(together, active - first);
      const size_t p = share.begin + first;
      if (turn > 0) MultiplyRecurrent(work, share, before, first, count, scratch);
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
      step.kept =
          cache == nullptr ? nullptr : cache->kept + p * plan.kept_stride + plan.RowOfTurn(turn) * plan.kept_width;
      step.kept_stride = plan.kept_stride;
      step.output = output_rows + first;
      step.full_count = plan.full_blocks;
      step.full_stride = plan.full_width;
      step.full_factors = plan.recurrent_dropout ? scratch.tables.full_factors + p * plan.full_width : nullptr;
      step.operands = plan.recurrent_dropout ? scratch.operands + p * plan.full_width : nullptr;
      step.row_values =
          plan.row_activation ? scratch.row_values + static_cast<size_t>(share.worker) * 2 * plan.padded : nullptr;
      RunForwardStep(work.cell, step);
    }
  }
  for (size_t p = share.begin; p < share.end; ++p) RepeatMaskedOutputs(plan, sequences, output, p, {0, plan.units});
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

void WalkShareBackward(const RecurrenceWork& work, const StateGradient& doutput, const RecurrenceCache& cache,
                       const BackwardScratch& scratch, const Share& share) {
  const RecurrencePlan& plan = work.plan;
  const Sequences& sequences = work.sequences;
  const size_t rows = share.end - share.begin;
  std::fill_n(scratch.dh + share.begin * plan.padded, rows * plan.padded, 0.0f);
  std::fill_n(scratch.dc + share.begin * plan.padded, rows * plan.padded, 0.0f);
  const float** doutputs = scratch.doutputs + share.begin;
  const size_t diagonal_width = plan.diagonal_blocks * plan.padded;

  for (size_t turn = static_cast<size_t>(sequences.lengths[share.begin]); turn-- > 0;) {
    const size_t active = sequences.Active(share.begin, share.end, turn);
    for (size_t r = 0; r < active; ++r) {
      const size_t p = share.begin + r;
      doutputs[r] = GradientOfTurn(plan, sequences, doutput, p, turn);
      if (HasMaskedGradients(plan, sequences, p, turn)) {
        AddMaskedGradients(plan, sequences, doutput, p, turn, {0, plan.units}, scratch.dh + p * plan.padded);
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
    RunBackwardStep(work.cell, step);
    if (turn > 0) MultiplyRecurrentBackward(work, share, step.kept, active, scratch);
    if (turn % kTurnsPerTotal == 0) {
      for (size_t p = share.begin; p < share.end; p += plan.group_rows) {
        CarrySums(plan, p / plan.group_rows, {0, plan.units}, scratch);
      }
    }
  }
}

// Calls walk(share) for the shares of the sequences, on all threads.
template <class Walk>
void ForEachShare(const RecurrencePlan& plan, const Sequences& sequences, int32_t* bounds, ThreadPool& pool,
                  const Walk& walk) {
  const size_t shares = DivideSequences(plan, sequences, static_cast<size_t>(pool.threads()), bounds);
  pool.ParallelFor(shares, [&](size_t task, int worker) {
    walk(Share{static_cast<size_t>(bounds[task]), static_cast<size_t>(bounds[task + 1]), worker});
  });
}

}  // namespace

void WalkForward(const RecurrenceWork& work, const InputProducts& input, const StateOutput& output,
                 const RecurrenceCache* cache, const ForwardScratch& scratch, ThreadPool& pool) {
  ForEachShare(work.plan, work.sequences, scratch.tables.bounds, pool,
               [&](const Share& share) { WalkShareForward(work, input, output, cache, scratch, share); });
}

void WalkBackward(const RecurrenceWork& work, const StateGradient& doutput, const RecurrenceCache& cache,
                  const BackwardScratch& scratch, ThreadPool& pool) {
  ForEachShare(work.plan, work.sequences, scratch.tables.bounds, pool,
               [&](const Share& share) { WalkShareBackward(work, doutput, cache, scratch, share); });
}

}  // namespace slim
