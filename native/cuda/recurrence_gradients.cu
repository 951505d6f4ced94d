#include "cuda/context.h"
#include "cuda/launch.h"
#include "cuda/memory_operations.h"
#include "cuda/product.h"
#include "cuda/recurrence_dropout.h"
#include "cuda/recurrence_gradients.h"
#include "cuda/token_groups.h"

namespace slim::cuda {
namespace {

constexpr int kThreads = 128;

// Sums [B, blocks, n] over the sequences, for the rows [first, first + rows) of [blocks, n].
__global__ void __launch_bounds__(kThreads)
    ReduceSumsKernel(int64_t batch, int64_t width, int64_t first, int64_t count, const double* sums, float* gradient) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= count) return;
  double sum = 0.0;
  for (int64_t b = 0; b < batch; ++b) sum += sums[b * width + first + i];
  gradient[i] = static_cast<float>(sum);
}

// gradient = a^T da of some blocks, summed over `rows` rows. a [rows, depth]
void SumProducts(const CudaContext& context, const float* a, int64_t rows, int64_t depth, const float* da,
                 int64_t da_stride, int64_t columns, float* gradient, int64_t gradient_stride) {
  ProductShape shape = ProductTN(depth, columns, rows);
  shape.b_stride = da_stride;
  shape.c_stride = gradient_stride;
  Multiply(context, shape, {a, da, gradient, nullptr});
}

// dx [rows, m] (+)= da W^T of some blocks.
void MultiplyBack(const CudaContext& context, const GradientWork& work, const float* da, int64_t rows,
                  int64_t da_stride, const BlockRun& run, bool accumulate, float* dx) {
  const RecurrencePlan& plan = work.plan;
  ProductShape shape = ProductNT(rows, plan.inputs, run.count * plan.units);
  shape.a_stride = da_stride;
  shape.b_stride = plan.input_width;
  shape.accumulate = accumulate;
  Multiply(context, shape, {da, work.weights.kernel + run.packed * plan.units, dx, nullptr});
}

const float* GradientsOf(const GradientWork& work, const BlockRun& run) {
  return work.da + run.place * work.plan.units;
}

void ComputeKernelGradient(const CudaContext& context, const GradientWork& work, float* gradient) {
  const RecurrencePlan& plan = work.plan;
  const IndexedRows rows = plan.InputRows(work.input);
  const bool gathers = rows.index != nullptr || plan.input_dropout;
  if (gathers && !plan.input_dropout) {
    ScaleRows(context, plan.positions, plan.steps, rows, nullptr, 0, work.gathered);
  }
  for (const BlockRun& run : plan.InputRuns(plan.input_dropout)) {
    if (plan.input_dropout) {
      ScaleRows(context, plan.positions, plan.steps, rows, work.input_factors, plan.InputBlock(run.packed),
                work.gathered);
    }
    SumProducts(context, gathers ? work.gathered : work.input.x, plan.positions, plan.inputs, GradientsOf(work, run),
                plan.kept_width, run.count * plan.units, gradient + run.packed * plan.units, plan.input_width);
  }
}

// dx [B * T, m] by position. Under dropout `work.gathered` takes each block's part.
void ComputePositionGradients(const CudaContext& context, const GradientWork& work, bool accumulate, float* dx) {
  const RecurrencePlan& plan = work.plan;
  for (const BlockRun& run : plan.InputRuns(plan.input_dropout)) {
    const bool add = accumulate || run.packed > 0;
    if (!plan.input_dropout) {
      MultiplyBack(context, work, GradientsOf(work, run), plan.positions, plan.kept_width, run, add, dx);
      continue;
    }
    MultiplyBack(context, work, GradientsOf(work, run), plan.positions, plan.kept_width, run, false, work.gathered);
    const auto scale = add ? AddScaledRows : SetScaledRows;
    scale(context, plan.positions, plan.steps, plan.inputs, work.gathered, work.input_factors,
          plan.InputBlock(run.packed), dx);
  }
}

// The positions' gradients are summed by token first and meet the products once.
void ComputeFoldedGradients(const CudaContext& context, const GradientWork& work, const TokenOrder& order,
                            float* kernel_gradient, const SequenceGradient& dinput) {
  const RecurrencePlan& plan = work.plan;
  const int64_t vocabulary = work.input.vocabulary;
  Zero(context, work.folded, static_cast<size_t>(vocabulary * plan.input_width) * sizeof(float));
  for (const BlockRun& run : plan.InputRuns(false)) {
    SumRowsByToken(context, order,
                   {GradientsOf(work, run), plan.kept_width, run.count * plan.units,
                    work.folded + run.packed * plan.units, plan.input_width},
                   false, work.token_groups);
  }
  if (kernel_gradient != nullptr) {
    SumProducts(context, work.input.table, vocabulary, plan.inputs, work.folded, plan.input_width, plan.input_width,
                kernel_gradient, plan.input_width);
  }
  if (dinput.dtable == nullptr) return;
  MultiplyBack(context, work, work.folded, vocabulary, plan.input_width, {0, 0, plan.input_blocks}, dinput.accumulate,
               dinput.dtable);
}

void ClearTable(const CudaContext& context, const GradientWork& work, float* table) {
  Zero(context, table, static_cast<size_t>(work.input.vocabulary * work.plan.inputs) * sizeof(float));
}

// The layer reads nothing.
void ClearInputGradients(const CudaContext& context, const GradientWork& work, const SequenceGradient& dinput) {
  if (dinput.accumulate) return;
  const RecurrencePlan& plan = work.plan;
  if (dinput.dtable != nullptr) ClearTable(context, work, dinput.dtable);
  if (dinput.dx != nullptr) {
    Zero(context, dinput.dx, static_cast<size_t>(plan.positions * plan.inputs) * sizeof(float));
  }
}

}  // namespace

void ReduceSums(const CudaContext& context, const RecurrencePlan& plan, const double* sums,
                const RecurrenceGradients& gradients) {
  const int64_t width = plan.SumBlocks() * plan.units;
  const auto reduce = [&](int64_t first, int64_t count, float* gradient) {
    if (gradient == nullptr || count == 0) return;
    const LaunchShape shape{.grid = dim3(static_cast<unsigned>((count + kThreads - 1) / kThreads)),
                            .block = dim3(kThreads)};
    Launch(ReduceSumsKernel, shape, context.stream, plan.batch, width, first, count, sums, gradient);
  };
  reduce(0, plan.bias_blocks * plan.units, gradients.bias);
  reduce(plan.bias_blocks * plan.units, plan.diagonal_blocks * plan.units, gradients.recurrent_diagonal);
}

void ComputeRecurrentKernelGradient(const CudaContext& context, const GradientWork& work, float* gradient) {
  const RecurrencePlan& plan = work.plan;
  for (const BlockRun& run : plan.FullRuns(plan.recurrent_dropout)) {
    if (plan.recurrent_dropout) {
      ScaleRows(context, plan.positions, plan.steps, {work.h_before, nullptr, plan.units}, work.recurrent_factors,
                plan.FullBlock(run.packed), work.gathered);
    }
    SumProducts(context, plan.recurrent_dropout ? work.gathered : work.h_before, plan.positions, plan.units,
                GradientsOf(work, run), plan.kept_width, run.count * plan.units, gradient + run.packed * plan.units,
                plan.full_width);
  }
}

void ComputeInputGradients(const CudaContext& context, const GradientWork& work, float* kernel_gradient,
                           const SequenceGradient& dinput) {
  const RecurrencePlan& plan = work.plan;
  if (plan.input_blocks == 0) return ClearInputGradients(context, work, dinput);
  const bool folds = plan.Folds(work.input);
  if (!folds && kernel_gradient != nullptr) ComputeKernelGradient(context, work, kernel_gradient);
  if (dinput.dx != nullptr) ComputePositionGradients(context, work, dinput.accumulate, dinput.dx);
  if (!folds && dinput.dtable == nullptr) return;
  const TokenOrder order =
      GroupTokens(context, work.input.tokens, plan.positions, work.input.vocabulary, work.token_groups);
  if (folds) return ComputeFoldedGradients(context, work, order, kernel_gradient, dinput);
  ComputePositionGradients(context, work, false, work.gathered_gradient);
  if (!dinput.accumulate) ClearTable(context, work, dinput.dtable);
  SumRowsByToken(context, order, work.gathered_gradient, plan.inputs, dinput.accumulate, dinput.dtable,
                 work.token_groups);
}

}  // namespace slim::cuda
