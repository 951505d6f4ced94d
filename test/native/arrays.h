// Arrays for the tests of operations: made-up values, and how far results are from what is expected.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "cpu/memory.h"

namespace slim::test {

using FloatArray = std::vector<float>;
using IntArray = std::vector<int32_t>;

// Values in [-limit, limit), the same for the same seed.
inline FloatArray RandomFloats(int64_t count, uint32_t seed, float limit = 1.0f) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-limit, limit);
  FloatArray values(static_cast<size_t>(count));
  for (float& value : values) value = uniform(random);
  return values;
}

// Values in [0, bound), the same for the same seed.
inline IntArray RandomInts(int64_t count, int32_t bound, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<int32_t> uniform(0, bound - 1);
  IntArray values(static_cast<size_t>(count));
  for (int32_t& value : values) value = uniform(random);
  return values;
}

// What outputs are filled with beforehand, so that an element left out is seen.
inline FloatArray Unwritten(int64_t count) { return FloatArray(static_cast<size_t>(count), NAN); }

// ||actual - expected|| / ||expected||; the numerator alone where expected is zero throughout.
template <class Expected>
double RelativeError(const FloatArray& actual, const std::vector<Expected>& expected) {
  if (actual.size() != expected.size()) return INFINITY;
  double difference = 0, norm = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double d = static_cast<double>(actual[i]) - static_cast<double>(expected[i]);
    difference += d * d;
    norm += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
  }
  return norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
}

// Memory for scratch and caches, filled with what is no number.
class Scratch {
 public:
  explicit Scratch(size_t bytes) : buffer_(AlignedBytes(bytes) + kAlignment) {
    std::fill_n(buffer_.floats(), buffer_.bytes() / sizeof(float), NAN);
  }
  void* get() { return buffer_.data(); }

 private:
  AlignedBuffer buffer_;
};

}  // namespace slim::test
