#pragma once

#include <cmath>
#include <cstdint>

#include "philox.h"

namespace slim {

/// A word as a number in (0, 1), never an end of it.
inline double UnitInterval(uint32_t word) { return (word + 0.5) * 0x1p-32; }

/// Four independent draws of the standard normal distribution from four words, by Box and Muller's transform.
inline void NormalsOf(const uint32_t words[4], float normals[4]) {
  constexpr double kTwoPi = 6.283185307179586;
  for (int i = 0; i < 4; i += 2) {
    const double radius = std::sqrt(-2 * std::log(UnitInterval(words[i])));
    const double angle = kTwoPi * UnitInterval(words[i + 1]);
    normals[i] = static_cast<float>(radius * std::cos(angle));
    normals[i + 1] = static_cast<float>(radius * std::sin(angle));
  }
}

/// Draws `first` to `first + count - 1` of a stream of normal numbers; draw i depends on i alone.
inline void NormalDraws(const RandomStream& stream, uint64_t first, int64_t count, float* values) {
  uint32_t words[4];
  float normals[4];
  for (int64_t i = 0; i < count;) {
    const uint64_t index = first + static_cast<uint64_t>(i);
    stream.Block(index >> 2, words);
    NormalsOf(words, normals);
    for (uint64_t lane = index & 3; lane < 4 && i < count; ++lane) values[i++] = normals[lane];
  }
}

}  // namespace slim
