#pragma once

#include <cstdint>

#include "cuda/context.h"

namespace slim::cuda {

/// sums[c] = sum over rows of x[row, c], in an order that depends on the shape and the device alone. Rows are `stride`
/// floats apart.
void ColumnSums(const CudaContext& context, const float* x, int64_t rows, int64_t columns, int64_t stride, float* sums);

/// sums[r] = sum over columns of x[r, column].
void RowSums(const CudaContext& context, const float* x, int64_t rows, int64_t columns, int64_t stride, float* sums);

}  // namespace slim::cuda
