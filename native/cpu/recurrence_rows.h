#pragma once

#include <cstddef>
#include <cstdint>

#include "philox.h"

/// What the recurrence does to single rows of floats besides its steps.
namespace slim {

/// product[i] = a[i] * b[i]
void MultiplyRow(size_t count, const float* a, const float* b, float* product);

/// sum[i] += a[i] * b[i]
void MultiplyAddRow(size_t count, const float* a, const float* b, float* sum);

/// sum[i] += a[i]
void AddRow(size_t count, const float* a, float* sum);

/// Rows of sequences: that of the position p * steps + r begins at values + p * sequence_stride + r * row_stride.
struct PositionedRows {
  const float* values;
  size_t steps;
  size_t sequence_stride;
  size_t row_stride;
};

/// sum[i] = the sum of element i of the rows at the positions, in their order.
void SumRows(const PositionedRows& rows, const int32_t* positions, size_t position_count, size_t count, float* sum);

/// factors[i] = what dropout multiplies element `first` + i of the stream by.
void DropoutFactors(const RandomStream& stream, float rate, uint64_t first, size_t count, float* factors);

}  // namespace slim
