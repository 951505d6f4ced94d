#pragma once

#include <cstddef>
#include <cstdint>

#include "backend.h"

/// The inner loops of a convolution's gradients where most of dy is zero. All on this thread.
namespace slim {

/// Some columns of some rows of dy, beside the y they belong to.
struct SparseRows {
  const float* dy;
  const float* y;
  size_t stride;
  size_t rows;
  size_t columns;
  Activation activation;
};

/// An element of a column: its value, and where the input rows that it meets begin.
struct ColumnEntry {
  int32_t offset;
  float value;
};

/// The elements of one row that are not zero.
struct RowEntries {
  int32_t* columns;
  float* values;
  size_t count;
};

/// What RowEntries' arrays have room for beyond the columns: a vector of the widest instruction set.
inline constexpr size_t kEntriesSlack = 16;

/// The gradient of the pre-activations, of which the elements that are not zero go to the list of their column: row r
/// with the offset r * row_step. `entries` [columns, rows], `counts` [columns]. Adds the columns' sums to `sums`
/// [columns]. `spare` has room for `columns` + kEntriesSlack.
void ListColumns(const SparseRows& rows, int32_t row_step, ColumnEntry* entries, int32_t* counts, float* sums,
                 RowEntries spare);

/// sums[0, width) += sum over entries of value * x[offset, ...); width is a multiple of kEntriesSlack.
void AddWindows(const ColumnEntry* entries, size_t count, const float* x, size_t width, float* sums);

/// Lists the elements of one row, in the same way; `entries` has room for `columns` + kEntriesSlack.
void ListRow(const SparseRows& row, RowEntries* entries);

/// sums[0, width) += sum over entries of value * rows[column, 0 ...)
void AddRows(const RowEntries& entries, const float* rows, size_t stride, size_t width, float* sums);

size_t CountNonzero(const float* x, size_t count);

}  // namespace slim
