#pragma once

#include <cstddef>
#include <vector>

#include "activation_reference.h"
#include "cpu/product.h"

// The products of product.h as plain loops in double precision: what the tests compare with.
namespace slim::reference {

inline const float* RowOf(const LeftRows& rows, size_t row) {
  if (rows.index != nullptr) return rows.data + static_cast<size_t>(rows.index[row]) * rows.stride;
  return rows.data + row / rows.run * rows.run_stride + row % rows.run * rows.stride;
}

// act(c + a * b + bias), [rows, columns]. `b` is row-major and dense; `product.b` is not looked at. c is what
// product.c holds at the time, with `accumulate`, otherwise zero.
inline std::vector<double> Multiply(const Product& product, const float* b, size_t depth, size_t columns) {
  std::vector<double> result(product.rows * columns);
  for (size_t row = 0; row < product.rows; ++row) {
    const float* a = RowOf(product.a, row);
    for (size_t j = 0; j < columns; ++j) {
      double sum = product.accumulate ? product.c[row * product.c_stride + j] : 0;
      if (product.bias != nullptr) sum += product.bias[j];
      for (size_t k = 0; k < depth; ++k) sum += static_cast<double>(a[k]) * b[k * columns + j];
      result[row * columns + j] = Activate(product.activation, sum);
    }
  }
  return result;
}

// dw [depth, columns] followed by db [columns].
inline std::vector<double> WeightGradients(const WeightGradient& gradient) {
  const size_t depth = gradient.depth;
  const size_t columns = gradient.columns;
  std::vector<double> result((depth + 1) * columns, 0);
  if (gradient.accumulate) {
    for (size_t k = 0; k < depth; ++k) {
      for (size_t j = 0; j < columns; ++j) result[k * columns + j] = gradient.dw[k * gradient.dw_stride + j];
    }
    for (size_t j = 0; j < columns && gradient.db != nullptr; ++j) result[depth * columns + j] = gradient.db[j];
  }
  for (size_t run = 0; run < gradient.run_count; ++run) {
    for (size_t row = 0; row < gradient.runs[run].rows; ++row) {
      const float* a = gradient.runs[run].a + row * gradient.a_stride;
      const float* dy = gradient.runs[run].dy + row * gradient.dy_stride;
      for (size_t j = 0; j < columns; ++j) {
        for (size_t k = 0; k < depth; ++k) result[k * columns + j] += static_cast<double>(a[k]) * dy[j];
        result[depth * columns + j] += dy[j];
      }
    }
  }
  return result;
}

}  // namespace slim::reference
