#pragma once

#include <cstdint>

#include "cuda/vector_access.h"

/// The product of the persistent kernels (K2 to K4): vectors that change with every step times weights that stay in
/// registers from the first step to the last.
///
/// A warp owns kUnits units; its lanes share out the depth of the sums. A lane holds the weights of all units and
/// blocks at its part of the depth, multiplies them with its part of the vectors, and the warp's lanes add up.
namespace slim::cuda {

/// kGates: blocks that a unit has weights for. kUnits: units of a warp, a power of two. kDepth: elements of the depth
/// that a lane has: 32 * kDepth are the most units of the layer.
template <int kGates_, int kUnits_, int kDepth_>
struct EngineShape {
  static constexpr int kGates = kGates_;
  static constexpr int kUnits = kUnits_;
  static constexpr int kDepth = kDepth_;
  static constexpr int kMostUnits = 32 * kDepth;
  static constexpr int kWeights = kGates * kUnits * kDepth;
  // A thread has 128 registers where a block has 512 of them, and 255 where it has 256.
  static constexpr int kMostThreads = kWeights > 64 ? 256 : 512;
  static constexpr int kMostWarps = kMostThreads / 32;
  static constexpr int kMostSequences = 32 / kUnits;             // of a tile: each lane owns one unit of one sequence
  static constexpr int kClusterWords = kUnits < 4 ? kUnits : 4;  // that a block of a cluster sends at once
  static constexpr int kVector = kDepth < 4 ? kDepth : 4;
  static constexpr int kLoads = kDepth / kVector;
  static_assert((kUnits & (kUnits - 1)) == 0 && kUnits <= 32 && kDepth % kVector == 0);

  /// The element of the depth that load `load`, part `part` of the lane gets.
  __device__ static int Element(int lane, int load, int part) { return (load * 32 + lane) * kVector + part; }
};

template <class Shape>
struct EngineWeights {
  float at[Shape::kUnits][Shape::kGates][Shape::kDepth];
};

/// Sums of one vector, or one for each block. kInputs: vectors, one for all blocks or one for each. kOutputs: sums of a
/// unit, one for each block or one for all together.
template <class Shape, int kInputs, int kOutputs>
struct EngineProduct {
  static_assert(kInputs == 1 || kInputs == Shape::kGates);
  static_assert(kOutputs == 1 || kOutputs == Shape::kGates);

  float sums[Shape::kUnits][kOutputs];

  /// All lanes. `vectors` [kInputs, kMostUnits] in shared memory. The sums of unit lane % kUnits end in sums[0] of the
  /// lane.
  __device__ void Multiply(const EngineWeights<Shape>& weights, const float* vectors, int lane) {
#pragma unroll
    for (int u = 0; u < Shape::kUnits; ++u) {
#pragma unroll
      for (int o = 0; o < kOutputs; ++o) sums[u][o] = 0.0f;
    }
#pragma unroll
    for (int load = 0; load < Shape::kLoads; ++load) {
#pragma unroll
      for (int input = 0; input < kInputs; ++input) {
        float vector[Shape::kVector];
        LoadVector<Shape::kVector>(vectors + input * Shape::kMostUnits + Shape::Element(lane, load, 0), vector);
#pragma unroll
        for (int part = 0; part < Shape::kVector; ++part) {
#pragma unroll
          for (int g = kInputs == 1 ? 0 : input; g < (kInputs == 1 ? Shape::kGates : input + 1); ++g) {
#pragma unroll
            for (int u = 0; u < Shape::kUnits; ++u) {
              sums[u][kOutputs == 1 ? 0 : g] += weights.at[u][g][load * Shape::kVector + part] * vector[part];
            }
          }
        }
      }
    }
    Reduce(lane);
  }

 private:
  // Lanes first part the units among themselves, each pair sending what the other keeps, then add up what is left.
  __device__ void Reduce(int lane) {
    constexpr unsigned kAllLanes = 0xFFFFFFFFu;
#pragma unroll
    for (int units = Shape::kUnits / 2; units >= 1; units /= 2) {
      const bool upper = (lane & units) != 0;
#pragma unroll
      for (int u = 0; u < units; ++u) {
#pragma unroll
        for (int o = 0; o < kOutputs; ++o) {
          const float sent = upper ? sums[u][o] : sums[u + units][o];
          const float own = upper ? sums[u + units][o] : sums[u][o];
          sums[u][o] = own + __shfl_xor_sync(kAllLanes, sent, units);
        }
      }
    }
#pragma unroll
    for (int lanes = Shape::kUnits; lanes < 32; lanes *= 2) {
#pragma unroll
      for (int o = 0; o < kOutputs; ++o) sums[0][o] += __shfl_xor_sync(kAllLanes, sums[0][o], lanes);
    }
  }
};

}  // namespace slim::cuda
