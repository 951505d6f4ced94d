#include "cuda/context.h"
#include "cuda/product.h"
#include "cuda/recurrence_dropout.h"
#include "cuda/recurrence_input.h"

namespace slim::cuda {
namespace {

ProductShape ShapeOf(const RecurrencePlan& plan, int64_t rows, int64_t columns, int64_t c_stride) {
  ProductShape shape = ProductNN(rows, columns, plan.inputs);
  shape.b_stride = plan.input_width;
  shape.c_stride = c_stride;
  return shape;
}

InputProducts ProductsAt(const float* rows, int64_t width, const int32_t* index, const int8_t (&place)[kBlocks],
                         const CellPlan& cell) {
  InputProducts products = {rows, width, index, {}};
  for (int k = 0; k < kBlocks; ++k) products.place[k] = cell.input[k] < 0 ? int8_t{-1} : place[k];
  return products;
}

}  // namespace

InputProducts MultiplyInputs(const CudaContext& context, const InputWork& work) {
  const RecurrencePlan& plan = work.plan;
  const SequenceInput& input = work.input;
  if (plan.input_blocks == 0) return ProductsAt(nullptr, 0, nullptr, plan.cell.input, plan.cell);
  if (plan.Folds(input)) {
    Multiply(context, ShapeOf(plan, input.vocabulary, plan.input_width, plan.input_width),
             {input.table, work.kernel, work.folded, nullptr});
    return ProductsAt(work.folded, plan.input_width, input.tokens, plan.cell.input, plan.cell);
  }
  const IndexedRows rows = plan.InputRows(input);
  if (rows.index != nullptr && work.factors == nullptr) {
    ScaleRows(context, plan.positions, plan.steps, rows, nullptr, 0, work.gathered);
  }
  for (const BlockRun& run : plan.InputRuns(plan.input_dropout)) {
    if (work.factors != nullptr) {
      ScaleRows(context, plan.positions, plan.steps, rows, work.factors, plan.InputBlock(run.packed), work.gathered);
    }
    const float* a = rows.index != nullptr || work.factors != nullptr ? work.gathered : input.x;
    Multiply(context, ShapeOf(plan, plan.positions, run.count * plan.units, plan.kept_width),
             {a, work.kernel + run.packed * plan.units, work.rows + run.place * plan.units, nullptr});
  }
  return ProductsAt(work.rows, plan.kept_width, nullptr, plan.cell.kept, plan.cell);
}

}  // namespace slim::cuda
