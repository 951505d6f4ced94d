#include "cpu/recurrence_gradients.h"

#include <algorithm>

#include "cpu/memory_operations.h"
#include "cpu/parallel_range.h"
#include "cpu/row_operations.h"

namespace slim {
namespace {

// Floats of rows that a task adds up.
constexpr size_t kTaskFloats = size_t{1} << 14;

size_t RowsOf(const GradientWork& work, size_t p) { return work.sequences.Rows(work.plan, p); }

const float* KeptRow(const GradientWork& work, size_t p, size_t row, const BlockRun& run) {
  return work.cache.kept + p * work.plan.kept_stride + row * work.plan.kept_width + run.place * work.plan.padded;
}

// Row of x, or of the table, that sequence p reads.
const float* InputRow(const GradientWork& work, size_t p, size_t row) {
  const size_t position =
      static_cast<size_t>(work.sequences.order[p]) * work.plan.steps + work.sequences.Time(work.plan, p, row);
  if (work.input.x != nullptr) return work.input.x + position * work.plan.inputs;
  return work.input.table + static_cast<size_t>(work.input.tokens[position]) * work.plan.inputs;
}

// The rows of sequence p from `row` on, up to `end`, whose times follow one another.
size_t StretchEnd(const GradientWork& work, size_t p, size_t row, size_t end) {
  if (work.sequences.times == nullptr) return end;
  const int32_t* times = work.sequences.times + p * work.plan.steps;
  size_t next = row + 1;
  while (next < end && times[next] == times[next - 1] + 1) ++next;
  return next;
}

// The rows of h before the steps of sequence p from `row` on.
const float* StateRow(const GradientWork& work, size_t p, size_t row) {
  const size_t state = row + (work.plan.shape.reverse ? 1 : 0);
  return work.cache.h + p * work.plan.state_stride + state * work.plan.padded;
}

// The gradient of some blocks of a weight array: sums over `runs` of a^T times the blocks' gradients.
WeightGradient ProductGradient(const GradientWork& work, size_t run_count, size_t a_stride, size_t dy_stride,
                               size_t depth, const BlockRun& run, size_t blocks, float* gradient) {
  WeightGradient product;
  product.runs = work.scratch.runs;
  product.run_count = run_count;
  product.a_stride = a_stride;
  product.dy_stride = dy_stride;
  product.depth = depth;
  product.columns = run.count * work.plan.units;
  product.dw = gradient + run.packed * work.plan.units;
  product.dw_stride = blocks * work.plan.units;
  return product;
}

void SumProducts(const GradientWork& work, const WeightGradient& product) {
  ComputeWeightGradient(product, work.pool, work.scratch.products);
}

// h before each step times the factors of a block, where the product finds it: [B][T, padded].
void GatherStates(const GradientWork& work, size_t block) {
  const RecurrencePlan& plan = work.plan;
  work.pool.ParallelFor(plan.batch, [&](size_t p, int) {
    const size_t first = work.sequences.FirstRow(plan, p);
    const float* factors = work.scratch.tables.full_factors + p * plan.full_width + block * plan.padded;
    for (size_t row = first; row < first + RowsOf(work, p); ++row) {
      MultiplyRow(plan.padded, StateRow(work, p, row), factors,
                  work.scratch.gathered + (p * plan.steps + row) * plan.padded);
    }
  });
}

// x times the factors of a block: [B][T, inputs].
void GatherInputs(const GradientWork& work, size_t block) {
  const RecurrencePlan& plan = work.plan;
  work.pool.ParallelFor(plan.batch, [&](size_t p, int) {
    const size_t first = work.sequences.FirstRow(plan, p);
    const float* factors = work.scratch.tables.input_factors + (p * plan.input_blocks + block) * plan.inputs;
    for (size_t row = first; row < first + RowsOf(work, p); ++row) {
      MultiplyRow(plan.inputs, InputRow(work, p, row), factors,
                  work.scratch.gathered + (p * plan.steps + row) * plan.inputs);
    }
  });
}

size_t GatheredRuns(const GradientWork& work, const BlockRun& run, size_t width) {
  for (size_t p = 0; p < work.plan.batch; ++p) {
    const size_t first = work.sequences.FirstRow(work.plan, p);
    work.scratch.runs[p] = {work.scratch.gathered + (p * work.plan.steps + first) * width, KeptRow(work, p, first, run),
                            RowsOf(work, p)};
  }
  return work.plan.batch;
}

// Rows of x, and of h before their steps, beside the gradients of a run of blocks.
size_t InputRuns(const GradientWork& work, const BlockRun& run) {
  size_t count = 0;
  for (size_t p = 0; p < work.plan.batch; ++p) {
    const size_t first = work.sequences.FirstRow(work.plan, p), end = first + RowsOf(work, p);
    for (size_t row = first; row < end;) {
      const size_t next = StretchEnd(work, p, row, end);
      work.scratch.runs[count++] = {InputRow(work, p, row), KeptRow(work, p, row, run), next - row,
                                    StateRow(work, p, row)};
      row = next;
    }
  }
  return count;
}

void ComputeKernelGradient(const GradientWork& work, float* gradient) {
  const RecurrencePlan& plan = work.plan;
  BlockRun runs[kBlocks];
  const int count = RunsOf(plan, &BlockPlan::input, plan.input_dropout, runs);
  for (int i = 0; i < count; ++i) {
    size_t row_runs;
    if (plan.input_dropout) {
      GatherInputs(work, runs[i].packed);
      row_runs = GatheredRuns(work, runs[i], plan.inputs);
    } else {
      row_runs = InputRuns(work, runs[i]);
    }
    SumProducts(work, ProductGradient(work, row_runs, plan.inputs, plan.kept_width, plan.inputs, runs[i],
                                      plan.input_blocks, gradient));
  }
}

void ComputeRecurrentKernelGradient(const GradientWork& work, float* gradient) {
  const RecurrencePlan& plan = work.plan;
  BlockRun runs[kBlocks];
  const int count = RunsOf(plan, &BlockPlan::full, plan.recurrent_dropout, runs);
  for (int i = 0; i < count; ++i) {
    size_t row_runs = plan.batch;
    if (plan.recurrent_dropout) {
      GatherStates(work, runs[i].packed);
      row_runs = GatheredRuns(work, runs[i], plan.padded);
    } else {
      for (size_t p = 0; p < plan.batch; ++p) {
        // The state before turn 0 is zero: its row adds nothing.
        const size_t zero = RowsOf(work, p) > 0 && work.sequences.FirstTurn(plan, p) == 0 ? 1 : 0;
        const size_t first = work.sequences.FirstRow(plan, p) + (plan.shape.reverse ? 0 : zero);
        work.scratch.runs[p] = {StateRow(work, p, first), KeptRow(work, p, first, runs[i]), RowsOf(work, p) - zero};
      }
    }
    SumProducts(work, ProductGradient(work, row_runs, plan.padded, plan.kept_width, plan.units, runs[i],
                                      plan.full_blocks, gradient));
  }
}

// Together the product for U has a row for the state before turn 0, which is zero: that must not be much of the whole.
constexpr size_t kFewestStepsTogether = 8;

// Whether the gradients of W and U are sums over the same rows of the same gradients.
bool TogetherFits(const RecurrencePlan& plan) {
  if (plan.steps < kFewestStepsTogether) return false;
  if (plan.fold || plan.input_dropout || plan.recurrent_dropout || plan.input_blocks == 0) return false;
  BlockRun inputs[kBlocks], fulls[kBlocks];
  const int count = RunsOf(plan, &BlockPlan::input, false, inputs);
  if (RunsOf(plan, &BlockPlan::full, false, fulls) != count) return false;
  const auto alike = [](const BlockRun& a, const BlockRun& b) { return a.place == b.place && a.count == b.count; };
  return std::equal(inputs, inputs + count, fulls, alike);
}

// Those of both.
void ComputeTogether(const GradientWork& work, const RecurrenceGradients& gradients) {
  const RecurrencePlan& plan = work.plan;
  BlockRun inputs[kBlocks], fulls[kBlocks];
  const int count = RunsOf(plan, &BlockPlan::input, false, inputs);
  RunsOf(plan, &BlockPlan::full, false, fulls);
  for (int i = 0; i < count; ++i) {
    const size_t row_runs = InputRuns(work, inputs[i]);
    WeightGradient product = ProductGradient(work, row_runs, plan.inputs, plan.kept_width, plan.inputs, inputs[i],
                                             plan.input_blocks, gradients.kernel);
    product.second = {plan.padded, plan.units, gradients.recurrent_kernel + fulls[i].packed * plan.units,
                      plan.full_blocks * plan.units};
    SumProducts(work, product);
  }
}

// --- what the layer reads --------------------------------------------------------------------------------------------

// rows of [inputs] (+)= the gradients of a run's blocks times the transpose of their kernel.
struct InputProduct {
  const float* gradients;
  size_t gradient_stride;
  size_t rows;
  const PackedMatrix& kernel;
  float* to;
  size_t inputs;
  bool accumulate;
};

Product ProductOf(const InputProduct& input) {
  Product product;
  product.a.data = input.gradients;
  product.a.stride = input.gradient_stride;
  product.rows = input.rows;
  product.b = input.kernel;
  product.accumulate = input.accumulate;
  product.c = input.to;
  product.c_stride = input.inputs;
  return product;
}

// dx of sequence p, whose rows go to `target` [T, inputs] by time.
void InputGradientOfSequence(const GradientWork& work, const PackedBlocks& kernel, size_t p, float* target,
                             bool accumulate) {
  const RecurrencePlan& plan = work.plan;
  const size_t first = work.sequences.FirstRow(plan, p), end = first + RowsOf(work, p);
  if (!accumulate && end - first < plan.steps) std::fill_n(target, plan.steps * plan.inputs, 0.0f);
  for (int run = 0; run < kernel.count; ++run) {
    for (size_t row = first; row < end;) {
      const size_t next = StretchEnd(work, p, row, end);
      float* to = target + work.sequences.Time(plan, p, row) * plan.inputs;
      const bool add = accumulate || run > 0;
      const InputProduct input = {KeptRow(work, p, row, kernel.runs[run]),
                                  plan.kept_width,
                                  next - row,
                                  kernel.matrices[run],
                                  to,
                                  plan.inputs,
                                  add};
      if (!plan.input_dropout) {
        MultiplyPart(ProductOf(input), 0, input.rows, 0, input.kernel.Panels());
      } else {
        InputProduct apart = input;
        apart.to = work.scratch.gathered + (p * plan.steps + row) * plan.inputs;
        apart.accumulate = false;
        MultiplyPart(ProductOf(apart), 0, apart.rows, 0, apart.kernel.Panels());
        const size_t block = kernel.runs[run].packed;
        const float* factors = work.scratch.tables.input_factors + (p * plan.input_blocks + block) * plan.inputs;
        for (size_t r = 0; r < apart.rows; ++r) {
          if (!add) std::fill_n(to + r * plan.inputs, plan.inputs, 0.0f);
          MultiplyAddRow(plan.inputs, apart.to + r * plan.inputs, factors, to + r * plan.inputs);
        }
      }
      row = next;
    }
  }
}

void ClearTable(const GradientWork& work, float* table) {
  Zero(work.pool, table, static_cast<size_t>(work.input.vocabulary) * work.plan.inputs * sizeof(float));
}

// The table's rows of the distinct tokens += rows [distinct, inputs].
void AddToTable(const GradientWork& work, const TokenFold& fold, const float* rows, float* table) {
  const size_t inputs = work.plan.inputs;
  const size_t task_rows = std::max<size_t>(kTaskFloats / inputs, 1);
  ParallelRange(work.pool, fold.Count(), task_rows, [&](size_t begin, size_t end) {
    for (size_t slot = begin; slot < end; ++slot) {
      AddRow(inputs, rows + slot * inputs, table + static_cast<size_t>(fold.tokens[slot]) * inputs);
    }
  });
}

// By distinct token: the gradients of its positions are summed first and meet the products once.
void ComputeFoldedGradients(const GradientWork& work, float* kernel_gradient, const SequenceGradient& dinput) {
  const RecurrencePlan& plan = work.plan;
  const TokenFold& fold = work.cache.fold;
  const BackwardScratch& scratch = work.scratch;
  BlockRun runs[kBlocks];
  const int count = RunsOf(plan, &BlockPlan::input, false, runs);
  for (int i = 0; i < count; ++i) {
    const FoldedRows rows = {work.cache.kept + runs[i].place * plan.padded, plan.kept_stride, plan.kept_width,
                             runs[i].count * plan.padded};
    SumByToken(plan, fold, rows, scratch.folded + runs[i].packed * plan.padded, plan.input_width, work.pool);
  }
  if (kernel_gradient != nullptr) {
    GatherRows(work.pool, work.input.table, plan.inputs * sizeof(float), fold.tokens,
               static_cast<int64_t>(fold.Count()), scratch.gathered);
    for (int i = 0; i < count; ++i) {
      scratch.runs[0] = {scratch.gathered, scratch.folded + runs[i].packed * plan.padded, fold.Count()};
      SumProducts(work, ProductGradient(work, 1, plan.inputs, plan.input_width, plan.inputs, runs[i], plan.input_blocks,
                                        kernel_gradient));
    }
  }
  if (dinput.dtable == nullptr) return;
  const PackedBlocks kernel = PackTransposedBlocks(plan, &BlockPlan::input, false, work.weights.kernel, plan.inputs,
                                                   scratch.tables.packed_kernel, work.pool);
  for (int run = 0; run < kernel.count; ++run) {
    const InputProduct input = {scratch.folded + kernel.runs[run].packed * plan.padded,
                                plan.input_width,
                                fold.Count(),
                                kernel.matrices[run],
                                scratch.gathered_gradient,
                                plan.inputs,
                                run > 0};
    Multiply(ProductOf(input), work.pool);
  }
  if (!dinput.accumulate) ClearTable(work, dinput.dtable);
  AddToTable(work, fold, scratch.gathered_gradient, dinput.dtable);
}

// The table's gradient where the fold does not serve: dx of all positions, then sums by token.
void ComputeTableGradient(const GradientWork& work, const PackedBlocks& kernel, const SequenceGradient& dinput) {
  const RecurrencePlan& plan = work.plan;
  const BackwardScratch& scratch = work.scratch;
  const size_t row_floats = plan.steps * plan.inputs;
  work.pool.ParallelFor(plan.batch, [&](size_t p, int) {
    InputGradientOfSequence(work, kernel, p, scratch.gathered_gradient + p * row_floats, false);
  });
  // Sums by token are by row; dx lies by time. Without a mask these are the same, with one the fold knows the rows.
  TokenFold fold = scratch.fold;
  Sequences by_time = work.sequences;
  FoldTokens(plan, work.sequences, work.input.tokens, fold, scratch.spare);
  if (by_time.times != nullptr) {
    for (int32_t i = 0; i < fold.starts[fold.Count()]; ++i) {
      const size_t p = static_cast<size_t>(fold.positions[i]) / plan.steps;
      const size_t row = static_cast<size_t>(fold.positions[i]) % plan.steps;
      fold.positions[i] = static_cast<int32_t>(p * plan.steps + by_time.Time(plan, p, row));
    }
  }
  SumByToken(plan, fold, {scratch.gathered_gradient, row_floats, plan.inputs, plan.inputs}, scratch.gathered,
             plan.inputs, work.pool);
  if (!dinput.accumulate) ClearTable(work, dinput.dtable);
  AddToTable(work, fold, scratch.gathered, dinput.dtable);
}

// The layer reads nothing.
void ClearInputGradients(const GradientWork& work, const SequenceGradient& dinput) {
  if (dinput.accumulate) return;
  if (dinput.dtable != nullptr) ClearTable(work, dinput.dtable);
  if (dinput.dx != nullptr) std::fill_n(dinput.dx, work.plan.batch * work.plan.steps * work.plan.inputs, 0.0f);
}

void ComputeInputGradients(const GradientWork& work, float* kernel_gradient, const SequenceGradient& dinput) {
  const RecurrencePlan& plan = work.plan;
  if (plan.fold) return ComputeFoldedGradients(work, kernel_gradient, dinput);
  if (kernel_gradient != nullptr && plan.input_blocks > 0) ComputeKernelGradient(work, kernel_gradient);
  if (dinput.dx == nullptr && dinput.dtable == nullptr) return;
  if (plan.input_blocks == 0) return ClearInputGradients(work, dinput);
  const PackedBlocks kernel = PackTransposedBlocks(plan, &BlockPlan::input, plan.input_dropout, work.weights.kernel,
                                                   plan.inputs, work.scratch.tables.packed_kernel, work.pool);
  if (dinput.dtable != nullptr) return ComputeTableGradient(work, kernel, dinput);
  const size_t row_floats = plan.steps * plan.inputs;
  work.pool.ParallelFor(plan.batch, [&](size_t p, int) {
    float* target = dinput.dx + static_cast<size_t>(work.sequences.order[p]) * row_floats;
    InputGradientOfSequence(work, kernel, p, target, dinput.accumulate);
  });
}

}  // namespace

void ComputeProductGradients(const GradientWork& work, const RecurrenceGradients& gradients,
                             const SequenceGradient& dinput) {
  const bool both = gradients.kernel != nullptr && gradients.recurrent_kernel != nullptr;
  if (both && TogetherFits(work.plan)) {
    ComputeTogether(work, gradients);
    return ComputeInputGradients(work, nullptr, dinput);
  }
  if (gradients.recurrent_kernel != nullptr) ComputeRecurrentKernelGradient(work, gradients.recurrent_kernel);
  ComputeInputGradients(work, gradients.kernel, dinput);
}

}  // namespace slim
