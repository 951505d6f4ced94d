#pragma once

#include <cstddef>

#include "thread_pool.h"

namespace slim {

/// sums[c] += sum over rows of x[row, c]; rows are `stride` floats apart. On this thread, for use within a task.
void AddColumnSums(const float* x, size_t rows, size_t columns, size_t stride, float* sums);

/// sums[c] = sum over rows of x[row, c] of a dense array, in an order that depends on the shape alone.
void ColumnSums(ThreadPool& pool, const float* x, size_t rows, size_t columns, float* sums);

}  // namespace slim
