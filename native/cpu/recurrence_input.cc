#include "cpu/recurrence_input.h"

#include <algorithm>

#include "cpu/row_operations.h"

namespace slim {
namespace {

// The columns of one panel as a right operand of its own.
PackedMatrix PanelOf(const PackedMatrix& matrix, size_t panel) {
  PackedMatrix part = matrix;
  part.data = matrix.Panel(panel);
  part.columns = matrix.PanelWidth(panel);
  return part;
}

void MultiplyRows(const LeftRows& a, size_t rows, const PackedMatrix& b, float* c, size_t c_stride) {
  Product product;
  product.a = a;
  product.rows = rows;
  product.b = b;
  product.c = c;
  product.c_stride = c_stride;
  MultiplyPart(product, 0, rows, 0, b.Panels());
}

}  // namespace

size_t PanelColumns(const RecurrencePlan& plan) { return std::min(PanelVectors() * VectorLanes(), plan.padded); }

size_t PanelsOf(const RecurrencePlan& plan) { return (plan.units + PanelColumns(plan) - 1) / PanelColumns(plan); }

InputProducts::InputProducts(const RecurrencePlan& plan, const SequenceInput& input, const Sequences& sequences,
                             const TokenFold& fold, const float* kernel, const ForwardScratch& scratch,
                             ThreadPool& pool)
    : plan_(plan),
      input_(input),
      sequences_(sequences),
      fold_(fold),
      scratch_(scratch),
      rows_(input.x != nullptr ? input.x : input.table) {
  if (plan.input_blocks == 0) return;
  kernel_ = PackBlocks(plan, &BlockPlan::input, plan.scan || plan.input_dropout, kernel, plan.inputs,
                       scratch.tables.packed_kernel, pool);
  if (!plan.fold) return;
  for (int run = 0; run < kernel_.count; ++run) {
    Product product;
    product.a.data = rows_;
    product.a.stride = plan.inputs;
    product.a.index = fold.tokens;
    product.rows = fold.Count();
    product.b = kernel_.matrices[run];
    product.c = scratch.folded_products + kernel_.runs[run].packed * plan.padded;
    product.c_stride = plan.input_width;
    slim::Multiply(product, pool);
  }
}

// The row of x, or of the table, that sequence p reads at a turn.
size_t InputProducts::RowIndex(size_t p, size_t turn) const {
  const size_t time = sequences_.Time(plan_, p, plan_.RowOfTurn(turn));
  const size_t position = static_cast<size_t>(sequences_.order[p]) * plan_.steps + time;
  return input_.x != nullptr ? position : static_cast<size_t>(input_.tokens[position]);
}

// That of sequence p at a turn among the products of the distinct tokens.
const float* InputProducts::FoldedRow(size_t p, size_t turn) const {
  const size_t slot = static_cast<size_t>(fold_.slots[p * plan_.steps + plan_.RowOfTurn(turn)]);
  return scratch_.folded_products + slot * plan_.input_width;
}

void InputProducts::Compute(Chunk& chunk, size_t turn) const {
  const size_t worker_rows = static_cast<size_t>(chunk.worker) * WorkerRows(plan_);
  int32_t* indices = scratch_.indices + worker_rows;
  float* products = scratch_.input_products + worker_rows * plan_.input_width;
  chunk.first_turn = turn;
  chunk.turns = 0;
  size_t rows = 0;
  const size_t most = std::min(plan_.ChunkTurns(chunk.share.count), plan_.steps - turn);
  for (; chunk.turns < most; ++chunk.turns) {
    const size_t active = chunk.share.Active(plan_, sequences_, turn + chunk.turns);
    chunk.offsets[chunk.turns] = rows;
    for (size_t r = 0; r < active; ++r) {
      indices[rows++] = static_cast<int32_t>(RowIndex(chunk.share.Sequence(r), turn + chunk.turns));
    }
  }
  if (!plan_.input_dropout) {
    const LeftRows a{.data = rows_, .stride = plan_.inputs, .index = indices};
    for (int run = 0; run < kernel_.count; ++run) {
      MultiplyRows(a, rows, kernel_.matrices[run], products + kernel_.runs[run].packed * plan_.padded,
                   plan_.input_width);
    }
    return;
  }
  float* gathered = scratch_.gathered + worker_rows * plan_.inputs;
  for (int run = 0; run < kernel_.count; ++run) {
    const size_t block = kernel_.runs[run].packed;
    for (size_t j = 0; j < chunk.turns; ++j) {
      const size_t row_end = j + 1 < chunk.turns ? chunk.offsets[j + 1] : rows;
      for (size_t row = chunk.offsets[j]; row < row_end; ++row) {
        const size_t p = chunk.share.Sequence(row - chunk.offsets[j]);
        MultiplyRow(plan_.inputs, rows_ + static_cast<size_t>(indices[row]) * plan_.inputs,
                    scratch_.tables.input_factors + (p * plan_.input_blocks + block) * plan_.inputs,
                    gathered + row * plan_.inputs);
      }
    }
    const LeftRows a{.data = gathered, .stride = plan_.inputs};
    MultiplyRows(a, rows, kernel_.matrices[run], products + block * plan_.padded, plan_.input_width);
  }
}

void InputProducts::Rows(Chunk& chunk, size_t turn, size_t active, const float** rows) const {
  if (plan_.input_blocks == 0) {
    std::fill_n(rows, active, nullptr);
    return;
  }
  if (plan_.fold) {
    for (size_t r = 0; r < active; ++r) rows[r] = FoldedRow(chunk.share.Sequence(r), turn);
    return;
  }
  if (turn >= chunk.first_turn + chunk.turns) Compute(chunk, turn);
  const size_t first = static_cast<size_t>(chunk.worker) * WorkerRows(plan_) + chunk.offsets[turn - chunk.first_turn];
  for (size_t r = 0; r < active; ++r) rows[r] = scratch_.input_products + (first + r) * plan_.input_width;
}

void InputProducts::Prefetch(const Chunk& chunk, size_t turn, size_t active) const {
  constexpr size_t kLineFloats = 64 / sizeof(float);
  if (!plan_.fold) return;
  for (size_t r = 0; r < active; ++r) {
    const float* row = FoldedRow(chunk.share.Sequence(r), turn);
    for (size_t at = 0; at < plan_.input_width; at += kLineFloats) __builtin_prefetch(row + at, 0, 2);
  }
}

void InputProducts::PanelRows(size_t p, size_t turn, size_t turns, size_t panel, int worker, const float** rows) const {
  if (plan_.input_blocks == 0) {
    std::fill_n(rows, turns, nullptr);
    return;
  }
  if (plan_.fold) {
    for (size_t j = 0; j < turns; ++j) rows[j] = FoldedRow(p, turn + j) + panel * PanelColumns(plan_);
    return;
  }
  const size_t worker_rows = static_cast<size_t>(worker) * WorkerRows(plan_);
  int32_t* indices = scratch_.indices + worker_rows;
  float* products = scratch_.input_products + worker_rows * plan_.input_width;
  const size_t width = plan_.input_blocks * PanelColumns(plan_);
  for (size_t j = 0; j < turns; ++j) {
    indices[j] = static_cast<int32_t>(RowIndex(p, turn + j));
    rows[j] = products + j * width;
  }
  LeftRows a{.data = rows_, .stride = plan_.inputs, .index = indices};
  for (size_t block = 0; block < plan_.input_blocks; ++block) {
    if (plan_.input_dropout) {
      float* gathered = scratch_.gathered + worker_rows * plan_.inputs;
      const float* factors = scratch_.tables.input_factors + (p * plan_.input_blocks + block) * plan_.inputs;
      for (size_t j = 0; j < turns; ++j) {
        MultiplyRow(plan_.inputs, rows_ + static_cast<size_t>(indices[j]) * plan_.inputs, factors,
                    gathered + j * plan_.inputs);
      }
      a = LeftRows{.data = gathered, .stride = plan_.inputs};
    }
    MultiplyRows(a, turns, PanelOf(kernel_.matrices[block], panel), products + block * PanelColumns(plan_), width);
  }
}

size_t InputProducts::RowsFrom(size_t p, size_t turn, size_t end, const float** rows) const {
  if (plan_.input_blocks == 0 || plan_.fold) return 0;
  const size_t count = std::min(end - turn, RecurrencePlan::kMostChunkTurns);
  for (size_t j = 0; j < count; ++j) rows[j] = rows_ + RowIndex(p, turn + j) * plan_.inputs;
  return count;
}

size_t InputProducts::BlockStride() const { return plan_.fold ? plan_.padded : PanelColumns(plan_); }

}  // namespace slim
