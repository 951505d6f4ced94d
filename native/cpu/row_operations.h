#pragma once

#include <cstddef>

/// Operations on single rows of floats.
namespace slim {

/// product[i] = a[i] * b[i]
void MultiplyRow(size_t count, const float* a, const float* b, float* product);

/// sum[i] += a[i] * b[i]
void MultiplyAddRow(size_t count, const float* a, const float* b, float* sum);

/// sum[i] += a[i]
void AddRow(size_t count, const float* a, float* sum);

/// sum[i] += element i of each of the rows, in their order.
void AddRows(const float* const* rows, size_t row_count, size_t count, float* sum);

}  // namespace slim
