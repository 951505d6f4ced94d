#pragma once

#include <cstddef>
#include <cstdint>

#include "backend.h"
#include "thread_pool.h"

/// Dense products of single-precision matrices. All matrices are row-major; a stride counts floats from row to row.
///
/// Each element of a result is one chain of multiply-adds in a fixed order that depends on the shapes alone, so results
/// are the same bits for any number of threads. Nothing here allocates.
namespace slim {

// --- the right operand, packed ---------------------------------------------------------------------------------------

/// A matrix [depth, columns] in the order in which the micro-kernel reads it: panels of `panel_columns` columns one
/// after the other, each [depth, its width]. The last panel is as narrow as whole vectors allow; columns that fill it
/// up are zero. Does not own its memory, which is 64-byte aligned. Valid in this process only: the layout is that of
/// the chosen instruction set.
struct PackedMatrix {
  const float* data = nullptr;
  size_t depth = 0;
  size_t columns = 0;
  size_t panel_columns = 0;  // a multiple of the lanes
  size_t lanes = 0;          // of a vector of the chosen instruction set

  size_t Panels() const { return (columns + panel_columns - 1) / panel_columns; }
  const float* Panel(size_t panel) const { return data + panel * depth * panel_columns; }
  /// Columns of the panel in memory, those that fill it up included.
  size_t PanelWidth(size_t panel) const {
    const size_t left = columns - panel * panel_columns;
    return left >= panel_columns ? panel_columns : (left + lanes - 1) / lanes * lanes;
  }
};

/// Floats in a vector of the chosen instruction set: 4, 8 or 16.
size_t VectorLanes();

/// Vectors in a panel of the products below: 4 where there are 32 vector registers, otherwise 2.
size_t PanelVectors();

/// Floats that a packed matrix takes.
size_t PackedSize(size_t depth, size_t columns);

/// Packs `b` [depth, columns]. `storage` holds PackedSize floats, 64-byte aligned.
PackedMatrix Pack(const float* b, size_t stride, size_t depth, size_t columns, float* storage);

/// Packs the transpose of `b` [columns, depth].
PackedMatrix PackTransposed(const float* b, size_t stride, size_t depth, size_t columns, float* storage);

/// Packs columns[j] of `b` as column j, or zeros where it is negative; `panel_vectors` vectors a panel. So that a panel
/// can hold all gates of the same units, side by side (InterleaveBlocks makes the columns). PackedSize floats.
PackedMatrix PackColumns(const float* b, size_t stride, size_t depth, const int32_t* columns, size_t count,
                         size_t panel_vectors, float* storage);

/// The same of the transpose of `b`: rows columns[j] of `b` [.., depth] become columns.
PackedMatrix PackRows(const float* b, size_t stride, size_t depth, const int32_t* rows, size_t count,
                      size_t panel_vectors, float* storage);

/// Columns of `blocks` blocks of `units` columns each that a product needs when one panel is to hold one vector of each
/// block: a multiple of blocks * VectorLanes().
size_t InterleavedColumns(size_t units, size_t blocks);

/// Fills `columns` with InterleavedColumns entries for PackColumns: lanes of block 0, of block 1, ... for the first
/// units, then for the next; -1 beyond the last unit. Column j of block g of the source is g * units + j.
void InterleaveBlocks(size_t units, size_t blocks, int32_t* columns);

// --- the left operand ------------------------------------------------------------------------------------------------

/// Where the rows of the left operand lie. Row r begins at
///   data + (r / run) * run_stride + (r % run) * stride      where index is null
///   data + index[r] * stride                                otherwise.
/// Rows may overlap. A convolution over [T, channels] has rows of taps * channels floats with stride = channels; the
/// rows of one sequence are a run. Tokens are the index of rows in an embedding's table.
struct LeftRows {
  const float* data = nullptr;
  size_t stride = 0;
  size_t run = SIZE_MAX;
  size_t run_stride = 0;
  const int32_t* index = nullptr;
};

// --- products --------------------------------------------------------------------------------------------------------

/// c = act(a * b + bias), or act(c + a * b + bias) with `accumulate`.
struct Product {
  LeftRows a;  // [rows, depth]
  size_t rows = 0;
  PackedMatrix b;               // [depth, columns], made by Pack or PackTransposed
  const float* bias = nullptr;  // [columns] or null
  bool accumulate = false;
  Activation activation = Activation::kLinear;  // any but softmax
  float* c = nullptr;                           // [rows, columns]; overlaps neither a nor b nor bias
  size_t c_stride = 0;
};

/// On all threads of the pool; within a task of the pool, on this thread.
void Multiply(const Product& product, ThreadPool& pool);

/// On this thread, the rows [row_begin, row_end) of the panels [panel_begin, panel_end). For use within a task.
void MultiplyPart(const Product& product, size_t row_begin, size_t row_end, size_t panel_begin, size_t panel_end);

// --- gradients of weights --------------------------------------------------------------------------------------------

/// Rows that contribute to a gradient: row r of the run is a + r * a_stride beside dy + r * dy_stride.
struct RowRun {
  const float* a = nullptr;
  const float* dy = nullptr;
  size_t rows = 0;
  const float* second_a = nullptr;  // where there is a second gradient
};

/// A second left operand beside the same rows of dy, and the gradient of the weights it meets. Computed together with
/// the first, so that the rows of dy are read and brought together once for both.
struct SecondGradient {
  size_t a_stride = 0;
  size_t depth = 0;  // 0: there is none
  float* dw = nullptr;
  size_t dw_stride = 0;
};

/// dw = sum over rows of a[row, :]^T * dy[row, :], db = sum over rows of dy[row, :].
struct WeightGradient {
  const RowRun* runs = nullptr;
  size_t run_count = 0;
  size_t a_stride = 0;  // may be smaller than depth: rows of a convolution overlap
  size_t dy_stride = 0;
  size_t depth = 0;         // width of a row of a
  size_t columns = 0;       // width of a row of dy
  bool accumulate = false;  // add to dw and db
  float* dw = nullptr;      // [depth, columns]
  size_t dw_stride = 0;
  float* db = nullptr;  // [columns] or null
  SecondGradient second;
};

/// Bytes of scratch for up to `rows` rows in all. `depth` is that of both gradients together.
size_t WeightGradientScratchBytes(size_t depth, size_t columns, size_t rows, int threads);

/// On all threads of the pool; within a task of the pool, on this thread. `scratch` is 64-byte aligned. The order of
/// summation depends on the shapes and the runs' lengths alone.
void ComputeWeightGradient(const WeightGradient& gradient, ThreadPool& pool, void* scratch);

}  // namespace slim
