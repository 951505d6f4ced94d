#pragma once

#include <vector>

#include "backend.h"

namespace slim::cuda {

/// What a device of that compute capability, 90 for 9.0, computes in: the matrix units know tf32 and bfloat16 from 8.0
/// on.
inline std::vector<Precision> PrecisionsOf(int capability) {
  if (capability < 80) return {Precision::kFloat32};
  return {Precision::kFloat32, Precision::kTf32, Precision::kBfloat16};
}

}  // namespace slim::cuda
