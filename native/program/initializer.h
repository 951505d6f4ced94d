#pragma once

#include <cstdint>
#include <vector>

#include "philox.h"
#include "program/spec.h"

namespace slim {

/// Writes the initial values of an array of the given shape into `values`, on the host. They depend on the stream and
/// the shape alone. The distributions are Keras'; the draws are this project's own.
void Initialize(const Initializer& initializer, const std::vector<int64_t>& shape, const RandomStream& stream,
                float* values);

/// Keras' fans of an array: those of a matrix are its rows and columns, those of a convolution's kernel [taps, C, F]
/// are taps * C and taps * F, and both are the length of a vector.
struct Fans {
  double in;
  double out;
};
Fans FansOf(const std::vector<int64_t>& shape);

}  // namespace slim
