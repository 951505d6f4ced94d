#pragma once

#include <cstdint>

#include "cuda/recurrence_engine.h"
#include "cuda/recurrence_team_lane.h"

/// The engine of the team kernels in float32, recurrence_engine.h, as they use it: its weights from U, a round of all
/// sequences of a tile, and what is exchanged.
namespace slim::cuda {

/// The block of the cell that the engine's block `g` is: itself, or the only one with a full product.
template <class Shape>
__device__ inline int CellBlock(const CellPlan& cell, int g) {
  if constexpr (Shape::kGates == kBlocks) return g;
  int block = 0;
#pragma unroll
  for (int k = 0; k < kBlocks; ++k) block = cell.full[k] >= 0 ? k : block;
  return block;
}

/// kInputs and kOutputs as in EngineProduct: forwards a vector for each block under recurrent dropout, one otherwise;
/// backwards sums for each block, or for all together.
template <class Shape, int kInputs, int kOutputs>
class LaneEngine {
 public:
  static constexpr int kMostThreads = Shape::kMostThreads;
  static constexpr bool kDrops = kInputs == kOutputs;  // whether there may be recurrent dropout
  struct Sums {
    float at[kOutputs];
  };

  __device__ static TeamLane Own(const TeamLaunch& launch, int block_of_team) {
    return TeamLane::Of(launch, block_of_team, 1, Shape::kUnits);
  }

  __device__ LaneEngine(const TeamLaunch& launch, const CellPlan& cell, const TeamLane& own,
                        const RecurrentWeights& recurrent, float*)
      : launch_(launch), cell_(cell), own_(own) {
#pragma unroll
    for (int u = 0; u < Shape::kUnits; ++u) {
#pragma unroll
      for (int g = 0; g < Shape::kGates; ++g) {
        const int position = cell.full[CellBlock<Shape>(cell, g)];
#pragma unroll
        for (int load = 0; load < Shape::kLoads; ++load) {
#pragma unroll
          for (int part = 0; part < Shape::kVector; ++part) {
            weights_.at[u][g][load * Shape::kVector + part] =
                recurrent.At(position, launch.units, own.first_unit + u, Shape::Element(own.lane, load, part));
          }
        }
      }
    }
  }

  /// The sums of the lane's own unit and sequence, which are zeros before, of a round's vectors [sequences, kInputs,
  /// depth].
  __device__ void Multiply(const float* vectors, bool, Sums& sums) const {
    const int lane = Anew(static_cast<int>(threadIdx.x)) % 32, own_q = lane / Shape::kUnits;
    EngineProduct<Shape, kInputs, kOutputs> product;
#pragma unroll 1
    for (int q = 0; q < launch_.team.sequences; ++q) {
      product.Multiply(weights_, vectors + q * kInputs * Shape::kMostUnits, lane);
#pragma unroll
      for (int o = 0; o < kOutputs; ++o) sums.at[o] = q == own_q ? product.sums[0][o] : sums.at[o];
    }
  }

  /// The sum of the cell's block k, 0 where it has no full product.
  __device__ float OfBlock(const Sums& sums, int k) const {
    if constexpr (Shape::kGates == kBlocks) {
      return sums.at[k];
    } else {
      return cell_.full[k] >= 0 ? sums.at[0] : 0.0f;
    }
  }
  /// All blocks' sums, each times its factor of dropout.
  template <class Store>
  __device__ float OfAllBlocks(const Sums& sums, const Store& store, bool drops) const {
    float sum = 0.0f;
#pragma unroll
    for (int o = 0; o < kOutputs; ++o)
      sum += drops ? sums.at[o] * store.Factor(CellBlock<Shape>(cell_, o)) : sums.at[o];
    return sum;
  }

  /// Gives the team h of the lane's unit, number `j`; 0 where the lane has none. Whole warps, as all that sends.
  template <class Store>
  __device__ void SendState(TeamExchange& exchange, const Store& store, int j, float h, bool drops) const {
#pragma unroll
    for (int i = 0; i < kInputs; ++i) {
      SendElement(exchange, i, j, drops ? h * store.Factor(CellBlock<Shape>(cell_, i)) : h);
    }
  }
  /// Gives the team the gradients of the pre-activations of the lane's unit.
  __device__ void SendGradients(TeamExchange& exchange, int j, const BlockValues<float>& da) const {
#pragma unroll
    for (int g = 0; g < Shape::kGates; ++g) SendElement(exchange, g, j, OfEngineBlock(da, g));
  }

 private:
  __device__ void SendElement(TeamExchange& exchange, int vector, int j, float value) const {
    const int lane = Anew(static_cast<int>(threadIdx.x)) % 32, q = lane / Shape::kUnits, row = q * kInputs + vector;
    if (!launch_.team.IsCluster()) {
      if (own_.has_unit) exchange.Send(row, j, value);
      return;
    }
    constexpr unsigned kAllLanes = 0xFFFFFFFFu;
    constexpr int kSenders = Shape::kClusterWords;
    const int sender = lane % kSenders, first = lane - sender;
    const int first_unit = __shfl_sync(kAllLanes, own_.has_unit ? j : -1, first);
    const bool there = first_unit >= 0;
    if constexpr (kSenders == 1) {
      if (there) exchange.SendWords(row, first_unit, value, 0, 1);
    } else if constexpr (kSenders == 2) {
      float2 words;
      words.x = __shfl_sync(kAllLanes, value, first);
      words.y = __shfl_sync(kAllLanes, value, first + 1);
      if (there) exchange.SendWords(row, first_unit, words, sender, kSenders);
    } else {
      float4 words;
      words.x = __shfl_sync(kAllLanes, value, first);
      words.y = __shfl_sync(kAllLanes, value, first + 1);
      words.z = __shfl_sync(kAllLanes, value, first + 2);
      words.w = __shfl_sync(kAllLanes, value, first + 3);
      if (there) exchange.SendWords(row, first_unit, words, sender, kSenders);
    }
  }

  __device__ float OfEngineBlock(const BlockValues<float>& values, int g) const {
    if constexpr (Shape::kGates == kBlocks) return values[g];
    float value = 0.0f;
#pragma unroll
    for (int k = 0; k < kBlocks; ++k) value = cell_.full[k] >= 0 ? values[k] : value;
    return value;
  }

  const TeamLaunch& launch_;
  const CellPlan& cell_;
  const TeamLane& own_;
  EngineWeights<Shape> weights_;
};

/// The instances: one block with a full product, or up to four; units of a warp, depth of a lane, recurrent dropout.
/// Each adds about 40 KB to the package: a depth for layers of at most 32 units would save them little, and recurrent
/// dropout does without one for 64.
template <int kUnits, int kDepth>
using OneBlock = EngineShape<1, kUnits, kDepth>;
template <int kUnits, int kDepth>
using FourBlocks = EngineShape<4, kUnits, kDepth>;

/// Backwards the vectors are those of each block, so only the sums differ.
template <class Shape, bool kDropout>
using ForwardLaneEngine = LaneEngine<Shape, kDropout ? Shape::kGates : 1, Shape::kGates>;
template <class Shape, bool kDropout>
using BackwardLaneEngine = LaneEngine<Shape, Shape::kGates, kDropout ? Shape::kGates : 1>;

#define SLIM_LANE_INSTANCES(instance)                                                                                \
  instance(OneBlock, 8, 2, false) instance(OneBlock, 8, 4, false) instance(OneBlock, 8, 8, false)                    \
      instance(OneBlock, 4, 16, false) instance(OneBlock, 2, 32, false) instance(OneBlock, 1, 64, false)             \
          instance(FourBlocks, 4, 2, false) instance(FourBlocks, 4, 4, false) instance(FourBlocks, 2, 8, false)      \
              instance(FourBlocks, 1, 16, false) instance(FourBlocks, 1, 32, false) instance(FourBlocks, 4, 4, true) \
                  instance(FourBlocks, 2, 8, true) instance(FourBlocks, 1, 16, true) instance(FourBlocks, 1, 32, true)

}  // namespace slim::cuda
