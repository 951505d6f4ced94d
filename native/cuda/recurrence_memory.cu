#include <algorithm>

#include "cuda/recurrence_memory.h"
#include "cuda/token_groups.h"

namespace slim::cuda {
namespace {

WalkLists TakeLists(const RecurrencePlan& plan, Placement& placement) {
  WalkLists lists;
  lists.order = placement.Take<int32_t>(plan.batch);
  lists.lengths = placement.Take<int32_t>(plan.batch);
  lists.times = placement.Take<int32_t>(plan.positions);
  return lists;
}

float* TakeRows(Placement& placement, bool wanted, int64_t rows, int64_t width) {
  return wanted ? placement.Take<float>(rows * width) : nullptr;
}

}  // namespace

RecurrenceCache::RecurrenceCache(const RecurrencePlan& plan, void* memory) {
  Placement placement(memory);
  values = TakeRows(placement, plan.kept_blocks > 0, plan.positions, plan.kept_width);
  c_before = TakeRows(placement, true, plan.positions, plan.units);
  h_before = TakeRows(placement, plan.sees_state, plan.positions, plan.units);
  lists = TakeLists(plan, placement);
  bytes = placement.bytes();
}

TeamMemory::TeamMemory(const RecurrencePlan& plan, Placement& placement) {
  // Two rounds of every tile, of which the last may be longer than what is left of the batch.
  const int64_t rows = 2 * (plan.batch + kMostSequences) * kBlocks;
  states = TakeRows(placement, plan.full_blocks > 0, rows, (plan.units + 3) / 4 * 4);
  flags = plan.full_blocks > 0 ? placement.Take<uint32_t>(kMostBlocks) : nullptr;
}

ForwardScratch::ForwardScratch(const RecurrencePlan& plan, void* memory)
    : placement(memory),
      lists(TakeLists(plan, placement)),
      input_factors(TakeRows(placement, plan.input_dropout, plan.batch * kBlocks, plan.inputs)),
      recurrent_factors(TakeRows(placement, plan.recurrent_dropout, plan.batch * kBlocks, plan.units)),
      products(TakeRows(placement, !plan.training && plan.kept_blocks > 0, plan.positions, plan.kept_width)),
      folded(TakeRows(placement, plan.FoldRows() > 0, plan.FoldRows(), plan.input_width)),
      gathered(TakeRows(placement, plan.input_dropout || (plan.embedded && plan.input_blocks > 0), plan.positions,
                        plan.inputs)),
      h(TakeRows(placement, true, plan.batch, plan.units)),
      c(TakeRows(placement, true, plan.batch, plan.units)),
      recurrent(TakeRows(placement, plan.full_blocks > 0, plan.batch, plan.full_width)),
      masked_h(TakeRows(placement, plan.recurrent_dropout && plan.full_blocks > 0, plan.batch, plan.full_width)),
      row(TakeRows(placement, plan.cell.activation == Activation::kSoftmax, plan.batch * 3, plan.units)),
      team(plan, placement) {}

BackwardScratch::BackwardScratch(const RecurrencePlan& plan, void* memory)
    : placement(memory),
      input_factors(TakeRows(placement, plan.input_dropout, plan.batch * kBlocks, plan.inputs)),
      recurrent_factors(TakeRows(placement, plan.recurrent_dropout, plan.batch * kBlocks, plan.units)),
      doutput(TakeRows(placement, plan.shape.return_sequences, plan.positions, plan.units)),
      sums(plan.SumBlocks() > 0 ? placement.Take<double>(plan.batch * plan.SumBlocks() * plan.units) : nullptr),
      folded(TakeRows(placement, plan.FoldRows() > 0, plan.FoldRows(), plan.input_width)),
      gathered(TakeRows(
          placement, plan.input_dropout || plan.recurrent_dropout || plan.embedded, plan.positions,
          std::max(plan.input_dropout || plan.embedded ? plan.inputs : 0, plan.recurrent_dropout ? plan.units : 0))),
      gathered_gradient(TakeRows(placement, plan.input_dropout || plan.embedded, plan.positions, plan.inputs)),
      token_groups(plan.embedded && plan.input_blocks > 0
                       ? placement.TakeBytes(TokenGroupsBytes(plan.positions, plan.TokenRowWidth()))
                       : nullptr),
      dh(TakeRows(placement, true, plan.batch, plan.units)),
      dc(TakeRows(placement, true, plan.batch, plan.units)),
      da(TakeRows(placement, plan.full_blocks > 0, plan.batch, plan.full_width)),
      through(TakeRows(placement, plan.full_blocks > 0, plan.batch, plan.full_width)),
      row(TakeRows(placement, plan.cell.activation == Activation::kSoftmax, plan.batch * 2, plan.units)),
      team(plan, placement) {}

}  // namespace slim::cuda
