// Results of products, and how far they are from the plain loops.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace slim::test {

// ||actual - expected|| / ||expected||, over [rows, columns] of an array whose rows are `stride` apart. A norm below
// that of ones counts as theirs: sums that happen to cancel are not held against the rounding of their terms.
inline double RelativeError(const float* actual, size_t stride, const double* expected, size_t rows, size_t columns) {
  double difference = 0;
  double norm = 0;
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < columns; ++j) {
      const double want = expected[i * columns + j];
      difference += (actual[i * stride + j] - want) * (actual[i * stride + j] - want);
      norm += want * want;
    }
  }
  return std::sqrt(difference / std::max(norm, static_cast<double>(rows * columns)));
}

inline constexpr float kUntouched = 12345.0f;

// A result with a gap between rows that nothing may write to.
struct ProductResult {
  ProductResult(size_t rows, size_t columns)
      : columns(columns), stride(columns + 3), values(rows * stride, kUntouched) {}

  bool GapsAreUntouched() const {
    for (size_t i = 0; i < values.size(); ++i) {
      if (i % stride >= columns && values[i] != kUntouched) return false;
    }
    return true;
  }

  size_t columns;
  size_t stride;
  std::vector<float> values;
};

inline constexpr double kTolerance = 1e-6;

}  // namespace slim::test
