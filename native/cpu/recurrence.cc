#include "cpu/recurrence.h"

#include <algorithm>

#include "cpu/recurrence_gradients.h"
#include "cpu/recurrence_matrix.h"
#include "cpu/recurrence_scan.h"
#include "cpu/recurrence_stem.h"
#include "cpu/recurrence_sums.h"

namespace slim {
namespace {

void ClearFirstStates(const RecurrencePlan& plan, const RecurrenceCache& cache) {
  for (size_t p = 0; p < plan.batch; ++p) {
    const size_t first = p * plan.state_stride + plan.StateBefore(0) * plan.padded;
    std::fill_n(cache.h + first, plan.padded, 0.0f);
    std::fill_n(cache.c + first, plan.padded, 0.0f);
  }
}

Sequences SequencesOf(const RecurrencePlan& plan, const uint8_t* mask, const SequenceInput& input,
                      const RecurrenceTables& tables) {
  return FindSequences(plan, mask, input.tokens, {tables.order, tables.lengths, tables.starts, tables.times});
}

}  // namespace

size_t RecurrenceCacheBytes(const RecurrenceShape& shape, int64_t batch, bool embedded) {
  const RecurrencePlan plan(shape, batch, embedded, true);
  return RecurrenceCache(plan, nullptr).bytes;
}

size_t RecurrenceScratchBytes(const RecurrenceShape& shape, int64_t batch, bool embedded, bool training, int threads) {
  const RecurrencePlan inference(shape, batch, embedded, false);
  size_t bytes = ForwardScratch(inference, threads, nullptr).placement.bytes();
  if (training) {
    const RecurrencePlan plan(shape, batch, embedded, true);
    bytes = std::max({bytes, ForwardScratch(plan, threads, nullptr).placement.bytes(),
                      BackwardScratch(plan, threads, nullptr).placement.bytes()});
  }
  return bytes;
}

void RecurrenceForward(ThreadPool& pool, const StepValues& step, const RecurrenceShape& shape, int64_t batch,
                       const SequenceInput& input, const uint8_t* mask, const RecurrenceWeights& weights,
                       const StateOutput& output, void* cache_memory, void* scratch_memory) {
  const FlushDenormals flush;
  const RecurrencePlan plan(shape, batch, input.x == nullptr, cache_memory != nullptr);
  ForwardScratch scratch(plan, pool.threads(), scratch_memory);
  const RecurrenceCache cache(plan, cache_memory);
  const Sequences sequences = SequencesOf(plan, mask, input, scratch.tables);
  TokenFold fold = plan.training ? cache.fold : scratch.fold;
  if (plan.fold) FoldTokens(plan, sequences, input.tokens, fold, scratch.spare);

  PrepareDropout(plan, step, scratch.tables, pool);
  const CellParameters cell = PrepareCell(plan, weights, scratch.tables, pool);
  const PackedBlocks recurrent = PackBlocks(plan, &BlockPlan::full, plan.recurrent_dropout, weights.recurrent_kernel,
                                            plan.units, scratch.tables.packed_recurrent, pool);
  const InputProducts products(plan, input, sequences, fold, weights.kernel, scratch, pool);
  if (plan.training) ClearFirstStates(plan, cache);
  std::fill_n(scratch.h, plan.batch * plan.padded, 0.0f);
  std::fill_n(scratch.c, plan.batch * plan.padded, 0.0f);
  const RecurrenceWork work = {plan, sequences, cell, recurrent};
  const ForwardWalk walk = {work, products, output, plan.training ? &cache : nullptr, scratch};
  (plan.scan ? ScanForward : WalkForward)(walk, pool);
}

void RecurrenceBackward(ThreadPool& pool, const StepValues& step, const RecurrenceShape& shape, int64_t batch,
                        const SequenceInput& input, const uint8_t* mask, const RecurrenceWeights& weights,
                        const StateGradient& doutput, void* cache_memory, const RecurrenceGradients& gradients,
                        const SequenceGradient& dinput, void* scratch_memory) {
  const FlushDenormals flush;
  const RecurrencePlan plan(shape, batch, input.x == nullptr, true);
  BackwardScratch scratch(plan, pool.threads(), scratch_memory);
  const RecurrenceCache cache(plan, cache_memory);
  const Sequences sequences = SequencesOf(plan, mask, input, scratch.tables);

  PrepareDropout(plan, step, scratch.tables, pool);
  const CellParameters cell = PrepareCell(plan, weights, scratch.tables, pool);
  const PackedBlocks recurrent =
      PackTransposedBlocks(plan, &BlockPlan::full, plan.recurrent_dropout, weights.recurrent_kernel, plan.units,
                           scratch.tables.packed_recurrent, pool);
  ClearSums(plan, scratch);
  IncomingGradients incoming = {doutput, nullptr};
  if (shape.return_sequences && sequences.Stem(plan) > 0) {
    SumStemGradients(plan, sequences, doutput, scratch.stem_gradients, pool);
    incoming.stem = scratch.stem_gradients;
  }
  const RecurrenceWork work = {plan, sequences, cell, recurrent};
  const BackwardWalk walk = {work, incoming, cache, scratch};
  RecurrenceGradients left = gradients;  // for the products over all steps
  if (!plan.scan) {
    WalkBackward(walk, pool);
  } else if (left.kernel != nullptr && SumsKernelInScan(plan)) {
    const ScanKernelGradient sums(plan, sequences, cache, input.x, pool.threads(), scratch.products);
    ScanBackward(walk, &sums, pool);
    sums.AddSlices(left.kernel, pool);
    left.kernel = nullptr;
  } else {
    ScanBackward(walk, nullptr, pool);
  }
  ReduceSums(plan, scratch, gradients);
  ComputeProductGradients({plan, sequences, input, weights, cache, scratch, pool}, left, dinput);
}

}  // namespace slim
