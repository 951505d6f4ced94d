#pragma once

#include <cstdint>

#include "cuda/recurrence_engine.h"
#include "cuda/recurrence_exchange.h"
#include "cuda/recurrence_team.h"

/// What the forward and the backward kernel of a team have in common: which unit of which sequence a lane owns, and the
/// weights of the warp's units.
namespace slim::cuda {

/// A tile's sequences are numbered by q.
struct TeamLane {
  int lane;
  int first_unit;  // of the warp
  int64_t j;       // the lane's unit, perhaps beyond the last
  int q;           // its sequence, perhaps beyond the tile's
  bool has_unit;

  template <class Shape>
  __device__ static TeamLane Of(const TeamLaunch& launch, int block_of_team) {
    TeamLane own;
    own.lane = static_cast<int>(threadIdx.x % 32);
    own.first_unit = block_of_team * launch.block_units + static_cast<int>(threadIdx.x / 32) * Shape::kUnits;
    own.j = own.first_unit + own.lane % Shape::kUnits;
    own.q = own.lane / Shape::kUnits;
    own.has_unit = own.j < launch.team.units && own.q < launch.team.sequences;
    return own;
  }
};

/// The sequence that a lane walks with the tile; one of no turns where there is none for it.
struct TeamSequence {
  int64_t b;  // some sequence in any case
  int turns;
  bool there;

  __device__ static TeamSequence Of(const TeamLaunch& launch, const TeamLane& own, const Walk& walk, int tile) {
    const int64_t p = static_cast<int64_t>(tile) * launch.team.sequences + own.q;
    TeamSequence sequence;
    sequence.there = own.has_unit && p < walk.batch;
    sequence.b = walk.Sequence(sequence.there ? p : static_cast<int64_t>(tile) * launch.team.sequences);
    sequence.turns = sequence.there ? walk.Turns(sequence.b) : 0;
    return sequence;
  }
};

/// The block of the cell that the engine's block `g` is: itself, or the only one with a full product.
template <class Shape>
__device__ inline int CellBlock(const CellPlan& cell, int g) {
  if constexpr (Shape::kGates == kBlocks) return g;
  int block = 0;
#pragma unroll
  for (int k = 0; k < kBlocks; ++k) block = cell.full[k] >= 0 ? k : block;
  return block;
}

/// The engine's blocks' part of the four values: value [kGates] -> by block of the cell, 0 where there is none.
template <class Shape>
__device__ inline float OfCellBlock(const CellPlan& cell, const float (&value)[Shape::kGates], int k) {
  if constexpr (Shape::kGates == kBlocks) {
    return value[k];
  } else {
    return cell.full[k] >= 0 ? value[0] : 0.0f;
  }
}
template <class Shape>
__device__ inline float OfEngineBlock(const CellPlan& cell, const BlockValues<float>& values, int g) {
  if constexpr (Shape::kGates == kBlocks) return values[g];
  float value = 0.0f;
#pragma unroll
  for (int k = 0; k < kBlocks; ++k) value = cell.full[k] >= 0 ? values[k] : value;
  return value;
}

/// Factors of recurrent dropout of a lane's unit and sequence by engine block; 1 without dropout.
template <class Shape>
struct LaneFactors {
  float at[Shape::kGates];

  __device__ LaneFactors(const CellPlan& cell, const UnitWeights& weights, int64_t b, int64_t j) {
#pragma unroll
    for (int g = 0; g < Shape::kGates; ++g) {
      at[g] = weights.factors == nullptr
                  ? 1.0f
                  : weights.factors[(b * kBlocks + CellBlock<Shape>(cell, g)) * weights.units + j];
    }
  }
};

/// The weights that a lane multiplies: of the warp's units and the lane's elements of the depth. `unit_stride` and
/// `element_stride` say where U [n, full_blocks * n] has them: forwards the depth runs over its rows, backwards over a
/// block's columns.
template <class Shape>
__device__ inline void LoadWeights(const CellPlan& cell, const float* recurrent_kernel, int64_t units,
                                   int64_t unit_stride, int64_t element_stride, const TeamLane& own,
                                   EngineWeights<Shape>& weights) {
#pragma unroll
  for (int u = 0; u < Shape::kUnits; ++u) {
    const int64_t unit = own.first_unit + u;
#pragma unroll
    for (int g = 0; g < Shape::kGates; ++g) {
      const int position = cell.full[CellBlock<Shape>(cell, g)];
#pragma unroll
      for (int load = 0; load < Shape::kLoads; ++load) {
#pragma unroll
        for (int part = 0; part < Shape::kVector; ++part) {
          const int64_t element = Shape::Element(own.lane, load, part);
          const bool there = unit < units && element < units && position >= 0;
          weights.at[u][g][load * Shape::kVector + part] =
              there ? recurrent_kernel[position * units + unit * unit_stride + element * element_stride] : 0.0f;
        }
      }
    }
  }
}

/// The sums of the lane's own unit and sequence, of a round's vectors [sequences, kInputs, depth].
template <class Shape, int kInputs, int kOutputs>
__device__ inline void MultiplyRound(const EngineWeights<Shape>& weights, const float* vectors, const TeamShape& team,
                                     const TeamLane& own, float (&sums)[kOutputs]) {
  EngineProduct<Shape, kInputs, kOutputs> product;
#pragma unroll 1
  for (int q = 0; q < team.sequences; ++q) {
    product.Multiply(weights, vectors + static_cast<size_t>(q) * kInputs * static_cast<size_t>(team.depth), team.depth,
                     own.lane);
#pragma unroll
    for (int o = 0; o < kOutputs; ++o) sums[o] = q == own.q ? product.sums[0][o] : sums[o];
  }
}

/// The instances: one block with a full product, or up to four.
template <int kUnits, int kDepth>
using OneBlock = EngineShape<1, kUnits, kDepth>;
template <int kUnits, int kDepth>
using FourBlocks = EngineShape<4, kUnits, kDepth>;

#define SLIM_TEAM_INSTANCES(instance)                                                                                  \
  instance(OneBlock, 8, 1, false) instance(OneBlock, 8, 2, false) instance(OneBlock, 8, 4, false)                      \
      instance(OneBlock, 8, 8, false) instance(OneBlock, 4, 16, false) instance(OneBlock, 2, 32, false)                \
          instance(OneBlock, 1, 64, false) instance(FourBlocks, 4, 1, false) instance(FourBlocks, 4, 2, false)         \
              instance(FourBlocks, 4, 4, false) instance(FourBlocks, 2, 8, false) instance(FourBlocks, 1, 16, false)   \
                  instance(FourBlocks, 1, 32, false) instance(FourBlocks, 4, 1, true) instance(FourBlocks, 4, 2, true) \
                      instance(FourBlocks, 4, 4, true) instance(FourBlocks, 2, 8, true)                                \
                          instance(FourBlocks, 1, 16, true) instance(FourBlocks, 1, 32, true)

using TeamForwardFunction = void (*)(TeamLaunch, TeamForwardOperands);
using TeamBackwardFunction = void (*)(TeamLaunch, TeamBackwardOperands);

/// In the order of SLIM_TEAM_INSTANCES.
extern const TeamForwardFunction kTeamForwardKernels[];
extern const TeamBackwardFunction kTeamBackwardKernels[];

}  // namespace slim::cuda
