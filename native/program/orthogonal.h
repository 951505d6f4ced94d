#pragma once

#include <cstdint>

#include "philox.h"

namespace slim {

/// Writes gain * Q into values [rows, columns], where Q is the orthogonal factor of a matrix of normal draws with the
/// signs taken so that the diagonal of R is positive: uniformly distributed over such matrices, as Keras' `orthogonal`.
/// Where rows >= columns the columns are orthonormal, otherwise the rows are.
void Orthogonal(const RandomStream& stream, int64_t rows, int64_t columns, float gain, float* values);

}  // namespace slim
