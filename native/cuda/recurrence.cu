#include <algorithm>

#include "cuda/check.h"
#include "cuda/context.h"
#include "cuda/recurrence.h"
#include "cuda/recurrence_choice.h"
#include "cuda/recurrence_cudnn.h"
#include "cuda/recurrence_dropout.h"
#include "cuda/recurrence_gradients.h"
#include "cuda/recurrence_graph.h"
#include "cuda/recurrence_input.h"
#include "cuda/recurrence_memory.h"
#include "cuda/recurrence_plan.h"
#include "cuda/recurrence_scan.h"
#include "cuda/recurrence_sequences.h"
#include "cuda/recurrence_team.h"

namespace slim::cuda {
namespace {

Walk WalkOf(const RecurrencePlan& plan, const uint8_t* mask, const WalkLists& lists) {
  return mask == nullptr ? WalkAll(plan) : WalkMasked(plan, lists);
}

template <class Float>
StateRows<Float> RowsOf(const RecurrencePlan& plan, Float* rows, int64_t stride) {
  return {rows, stride, plan.shape.return_sequences, plan.shape.reverse && !plan.shape.align_output};
}

void MakeFactors(const CudaContext& context, const RecurrencePlan& plan, float* input_factors,
                 float* recurrent_factors) {
  const RecurrenceShape& shape = plan.shape;
  if (plan.input_dropout) {
    MakeDropoutFactors(context, shape.input_dropout, shape.input_stream, plan.batch, plan.inputs, input_factors);
  }
  if (plan.recurrent_dropout) {
    MakeDropoutFactors(context, shape.recurrent_dropout, shape.recurrent_stream, plan.batch, plan.units,
                       recurrent_factors);
  }
}

void WalkGraph(const CudaContext& context, const RecurrencePlan& plan, const ForwardOperands& operands,
               const RecurrenceWeights& weights, const ForwardScratch& scratch) {
  GraphForward(context, plan,
               {operands, plan.full_blocks, weights.recurrent_kernel, scratch.h, scratch.c, scratch.recurrent,
                scratch.masked_h, scratch.row});
}

void WalkForward(const CudaContext& context, const RecurrencePlan& plan, const ForwardOperands& operands,
                 const RecurrenceWeights& weights, const ForwardScratch& scratch) {
  const RecurrenceChoice choice = ChooseKernel(context, plan, Pass::kForward);
  switch (choice.kernel) {
    case RecurrenceKernel::kScan:
      return ScanForward(context, plan, operands);
    case RecurrenceKernel::kGraph:
      return WalkGraph(context, plan, operands, weights, scratch);
    case RecurrenceKernel::kTeam:
      break;
  }
  try {
    TeamForward(context, plan, choice.team, {operands, plan.full_blocks, weights.recurrent_kernel}, scratch.team);
  } catch (const GridTooLarge& error) {
    // Another process may hold what the device said it had.
    TellFallback(context, plan, Pass::kForward, error.what());
    WalkGraph(context, plan, operands, weights, scratch);
  }
}

void WalkGraphBack(const CudaContext& context, const RecurrencePlan& plan, const BackwardOperands& operands,
                   const RecurrenceWeights& weights, const BackwardScratch& scratch) {
  GraphBackward(context, plan,
                {operands, plan.full_blocks, weights.recurrent_kernel, scratch.dh, scratch.dc, scratch.da,
                 scratch.through, scratch.row});
}

void WalkBackward(const CudaContext& context, const RecurrencePlan& plan, const BackwardOperands& operands,
                  const RecurrenceWeights& weights, const BackwardScratch& scratch) {
  const RecurrenceChoice choice = ChooseKernel(context, plan, Pass::kBackward);
  switch (choice.kernel) {
    case RecurrenceKernel::kScan:
      return ScanBackward(context, plan, operands);
    case RecurrenceKernel::kGraph:
      return WalkGraphBack(context, plan, operands, weights, scratch);
    case RecurrenceKernel::kTeam:
      break;
  }
  try {
    TeamBackward(context, plan, choice.team, {operands, plan.full_blocks, weights.recurrent_kernel}, scratch.team);
  } catch (const GridTooLarge& error) {
    TellFallback(context, plan, Pass::kBackward, error.what());
    WalkGraphBack(context, plan, operands, weights, scratch);
  }
}

bool ByCudnn(const CudaContext& context, const RecurrencePlan& plan, Pass pass) {
  if (!TakesCudnn(plan.shape)) return false;
  if (CudnnServesBatch(context, plan.shape, plan.batch, plan.training)) return true;
  TellWithoutCudnn(context, plan, pass);
  return false;
}

}  // namespace

// A layer of cuDNN's has memory for the device's own kernels too: they serve the batches that cuDNN does not.
size_t RecurrenceCacheBytes(const CudaContext& context, const RecurrenceShape& shape, int64_t batch, bool embedded) {
  const size_t bytes = RecurrenceCache(RecurrencePlan(shape, batch, embedded, true), nullptr).bytes;
  return TakesCudnn(shape) ? std::max(bytes, CudnnCacheBytes(context, shape, batch)) : bytes;
}

size_t RecurrenceScratchBytes(const CudaContext& context, const RecurrenceShape& shape, int64_t batch, bool embedded,
                              bool training) {
  size_t bytes = ForwardScratch(RecurrencePlan(shape, batch, embedded, false), nullptr).placement.bytes();
  if (training) {
    const RecurrencePlan plan(shape, batch, embedded, true);
    bytes = std::max(
        {bytes, ForwardScratch(plan, nullptr).placement.bytes(), BackwardScratch(plan, nullptr).placement.bytes()});
  }
  return TakesCudnn(shape) ? std::max(bytes, CudnnScratchBytes(context, shape, batch, embedded, training)) : bytes;
}

void RecurrenceForward(const CudaContext& context, const RecurrenceShape& shape, int64_t batch,
                       const SequenceInput& input, const uint8_t* mask, const RecurrenceWeights& weights,
                       const StateOutput& output, void* cache_memory, void* scratch_memory) {
  const RecurrencePlan plan(shape, batch, input.x == nullptr, cache_memory != nullptr);
  if (ByCudnn(context, plan, Pass::kForward)) {
    return CudnnForward(context, shape, batch, input, weights, output, cache_memory, scratch_memory);
  }
  const ForwardScratch scratch(plan, scratch_memory);
  const RecurrenceCache cache(plan, cache_memory);
  const WalkLists& lists = plan.training ? cache.lists : scratch.lists;
  if (mask != nullptr) FindTurns(context, plan, mask, lists);
  MakeFactors(context, plan, scratch.input_factors, scratch.recurrent_factors);

  float* rows = plan.training ? cache.values : scratch.products;
  const ForwardOperands operands = {
      .walk = WalkOf(plan, mask, lists),
      .cell = plan.cell,
      .weights = {weights.recurrent_diagonal, weights.bias, scratch.recurrent_factors, plan.units},
      .products = MultiplyInputs(
          context, {plan, input, weights.kernel, scratch.input_factors, rows, scratch.folded, scratch.gathered}),
      .kept = {rows, cache.c_before, cache.h_before, plan.kept_width},
      .output = RowsOf(plan, output.h, output.stride)};
  WalkForward(context, plan, operands, weights, scratch);
  if (mask == nullptr) return;
  if (plan.shape.return_sequences) FillMaskedOutput(context, operands.walk, plan.units, mask, operands.output);
  if (cache.h_before != nullptr) ClearMaskedRows(context, plan, mask, plan.units, cache.h_before);
}

void RecurrenceBackward(const CudaContext& context, const RecurrenceShape& shape, int64_t batch,
                        const SequenceInput& input, const uint8_t* mask, const RecurrenceWeights& weights,
                        const StateGradient& doutput, void* cache_memory, const RecurrenceGradients& gradients,
                        const SequenceGradient& dinput, void* scratch_memory) {
  const RecurrencePlan plan(shape, batch, input.x == nullptr, true);
  if (ByCudnn(context, plan, Pass::kBackward)) {
    return CudnnBackward(context, shape, batch, input, weights, doutput, cache_memory, gradients, dinput,
                         scratch_memory);
  }
  const BackwardScratch scratch(plan, scratch_memory);
  const RecurrenceCache cache(plan, cache_memory);
  MakeFactors(context, plan, scratch.input_factors, scratch.recurrent_factors);

  BackwardOperands operands = {
      .walk = WalkOf(plan, mask, cache.lists),
      .cell = plan.cell,
      .weights = {weights.recurrent_diagonal, weights.bias, scratch.recurrent_factors, plan.units},
      .kept = {cache.values, cache.c_before, cache.h_before, plan.kept_width},
      .doutput = RowsOf(plan, doutput.dh, doutput.stride),
      .sums = scratch.sums,
      .sum_blocks = plan.SumBlocks()};
  if (mask != nullptr && plan.shape.return_sequences) {
    GatherMaskedGradients(context, operands.walk, plan.units, mask, operands.doutput, scratch.doutput);
    operands.doutput = {scratch.doutput, plan.units, true, false};
  }
  WalkBackward(context, plan, operands, weights, scratch);
  if (mask != nullptr && plan.kept_blocks > 0) ClearMaskedRows(context, plan, mask, plan.kept_width, cache.values);

  ReduceSums(context, plan, scratch.sums, gradients);
  const GradientWork work = {plan,
                             input,
                             weights,
                             cache.values,
                             cache.h_before,
                             scratch.input_factors,
                             scratch.recurrent_factors,
                             scratch.folded,
                             scratch.gathered,
                             scratch.gathered_gradient,
                             scratch.token_groups};
  if (gradients.recurrent_kernel != nullptr) {
    ComputeRecurrentKernelGradient(context, work, gradients.recurrent_kernel);
  }
  ComputeInputGradients(context, work, gradients.kernel, dinput);
}

}  // namespace slim::cuda
