#include "cpu/recurrence_memory.h"

#include <algorithm>

#include "cpu/recurrence_scan_gradient.h"

namespace slim {
namespace {

TokenFold PlaceFold(const RecurrencePlan& plan, Placement& placement) {
  const size_t positions = plan.batch * plan.steps;
  TokenFold fold;
  fold.tokens = placement.Take<int32_t>(positions);
  fold.starts = placement.Take<int32_t>(positions + 1);
  fold.positions = placement.Take<int32_t>(positions);
  fold.slots = placement.Take<int32_t>(positions);
  fold.distinct = placement.Take<int32_t>(1);
  return fold;
}

size_t RoundedUp(size_t value) { return (value + 15) / 16 * 16; }

// The products for several blocks at once and those for each block divide their rows differently.
size_t GradientBytes(size_t depth, size_t blocks, const RecurrencePlan& plan, int threads) {
  size_t most = 0;
  for (size_t count = 1; count <= blocks; ++count) {
    const size_t rows = plan.batch * plan.steps;
    most = std::max(most, WeightGradientScratchBytes(depth, count * plan.units, rows, threads));
  }
  return most;
}

}  // namespace

size_t WorkerRows(const RecurrencePlan& plan) { return std::max(RecurrencePlan::kChunkRows, plan.batch); }

RecurrenceCache::RecurrenceCache(const RecurrencePlan& plan, void* memory) {
  Placement placement(memory);
  kept = placement.Take<float>(plan.batch * plan.kept_stride);
  c = placement.Take<float>(plan.batch * plan.state_stride);
  h = placement.Take<float>(plan.batch * plan.state_stride);
  fold = plan.fold ? PlaceFold(plan, placement) : TokenFold{};
  bytes = placement.bytes();
}

RecurrenceTables::RecurrenceTables(const RecurrencePlan& plan, Placement& placement) {
  const size_t masked = plan.recurrent_dropout ? plan.batch : 0;
  order = placement.Take<int32_t>(plan.batch);
  lengths = placement.Take<int32_t>(plan.batch);
  starts = placement.Take<int32_t>(plan.batch);
  times = placement.Take<int32_t>(plan.batch * plan.steps);
  shares = {placement.Take<int32_t>(plan.batch), placement.Take<int32_t>(plan.batch),
            placement.Take<int32_t>(plan.MostGroups() + 1), placement.Take<int32_t>(plan.MostGroups()),
            placement.Take<int32_t>(plan.MostGroups())};
  fixed = placement.Take<float>(kBlocks * plan.padded);
  bias = placement.Take<float>(plan.bias_blocks * plan.padded);
  diagonals = placement.Take<float>(std::max<size_t>(masked, 1) * plan.diagonal_blocks * plan.padded);
  diagonal_factors = placement.Take<float>(masked * plan.diagonal_blocks * plan.padded);
  full_factors = placement.Take<float>(masked * plan.full_width);
  input_factors = placement.Take<float>(plan.input_dropout ? plan.batch * plan.input_blocks * plan.inputs : 0);
  packed_recurrent = placement.Take<float>(plan.units * plan.full_width);
  packed_kernel = placement.Take<float>(plan.input_blocks *
                                        std::max(plan.inputs * plan.padded, plan.units * RoundedUp(plan.inputs)));
}

ForwardScratch::ForwardScratch(const RecurrencePlan& plan, int threads, void* memory)
    : placement(memory), tables(plan, placement) {
  const size_t positions = plan.batch * plan.steps;
  const size_t worker_rows = static_cast<size_t>(threads) * WorkerRows(plan);
  fold = plan.fold && !plan.training ? PlaceFold(plan, placement) : TokenFold{};
  spare = placement.Take<uint64_t>(plan.fold ? 2 * positions : 0);
  folded_products = placement.Take<float>(plan.fold ? positions * plan.input_width : 0);
  input_products = placement.Take<float>(plan.fold ? 0 : worker_rows * plan.input_width);
  gathered = placement.Take<float>(plan.input_dropout ? worker_rows * plan.inputs : 0);
  indices = placement.Take<int32_t>(worker_rows);
  recurrent_products = placement.Take<float>(plan.batch * plan.full_width);
  operands = placement.Take<float>(plan.recurrent_dropout ? plan.batch * plan.full_width : 0);
  h = placement.Take<float>(plan.batch * plan.padded);
  c = placement.Take<float>(plan.batch * plan.padded);
  row_values = placement.Take<float>(plan.row_activation ? static_cast<size_t>(threads) * 2 * plan.padded : 0);
  input_rows = placement.Take<const float*>(plan.batch);
  output_rows = placement.Take<float*>(plan.batch);
}

BackwardScratch::BackwardScratch(const RecurrencePlan& plan, int threads, void* memory)
    : placement(memory), tables(plan, placement) {
  const size_t positions = plan.batch * plan.steps;
  dh = placement.Take<float>(plan.batch * plan.padded);
  dc = placement.Take<float>(plan.batch * plan.padded);
  dh_block = placement.Take<float>(plan.recurrent_dropout && !plan.scan ? plan.batch * plan.padded : 0);
  group_sums = placement.Take<float>(plan.MostGroups() * plan.sums * plan.padded);
  totals = placement.Take<double>(plan.MostGroups() * plan.sums * plan.padded);
  row_values = placement.Take<float>(plan.row_activation ? static_cast<size_t>(threads) * 2 * plan.padded : 0);
  stem_gradients = placement.Take<float>(plan.stem && plan.shape.return_sequences ? plan.steps * plan.padded : 0);
  doutputs = placement.Take<const float*>(plan.batch);
  // A mask with holes cuts a sequence into runs of neighbouring times, every second one at the worst.
  runs = placement.Take<RowRun>(plan.batch * ((plan.steps + 2) / 2));
  size_t gathered_width = plan.recurrent_dropout && plan.full_blocks > 0 ? plan.padded : 0;
  if (plan.input_dropout || plan.fold) gathered_width = std::max(gathered_width, plan.inputs);
  gathered = placement.Take<float>(positions * gathered_width);
  gathered_gradient = placement.Take<float>(plan.embedded ? positions * plan.inputs : 0);
  const bool unfolded = plan.embedded && !plan.fold;
  fold = unfolded ? PlaceFold(plan, placement) : TokenFold{};
  spare = placement.Take<uint64_t>(unfolded ? 2 * positions : 0);
  folded = placement.Take<float>(plan.fold ? positions * plan.input_width : 0);
  const size_t both_blocks = std::min(plan.input_blocks, plan.full_blocks);
  products = placement.Take<uint8_t>(
      std::max({GradientBytes(plan.inputs, plan.input_blocks, plan, threads),
                GradientBytes(plan.units, plan.full_blocks, plan, threads),
                GradientBytes(plan.inputs + plan.units, both_blocks, plan, threads), ScanKernelBytes(plan, threads)}));
}

}  // namespace slim
