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

/// sum[i] = sum over k of row[starts[k] / steps][starts[k] % steps][i], k rising: the rows lie at
/// values + p * sequence_stride + r * row_stride for the position p * steps + r.
struct PositionedRows {
  const float* values;
  size_t steps;
  size_t sequence_stride;
  size_t row_stride;
};
void SumRows(const PositionedRows& rows, const int32_t* positions, size_t position_count, size_t count, float* sum);

/// factors[i] = what dropout multiplies element `first` + i of the stream by.
void DropoutFactors(const RandomStream& stream, float rate, uint64_t first, size_t count, float* factors);

}  // namespace slim
