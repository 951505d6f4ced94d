#pragma once

#include <cstdint>

#include "cuda/recurrence_exchange.h"
#include "cuda/recurrence_team.h"

/// What the forward and the backward kernel of a team have in common: which unit of which sequence a lane owns, and
/// what the lane keeps of both.
namespace slim::cuda {

/// A tile's sequences are numbered by q.
struct TeamLane {
  int lane;
  int group;       // of warps that own the same units
  int warp;        // of the group
  int first_unit;  // of the group
  int j;           // the lane's unit, perhaps beyond the last
  int q;           // its sequence, perhaps beyond the tile's
  bool has_unit;
  bool warp_has_units;  // whether any lane of the warp has one

  /// A group's lanes own its units of one sequence after the other.
  __device__ static TeamLane Of(const TeamLaunch& launch, int block_of_team, int group_warps, int group_units) {
    const int warp = static_cast<int>(threadIdx.x / 32);
    TeamLane own;
    own.lane = static_cast<int>(threadIdx.x % 32);
    own.group = warp / group_warps;
    own.warp = warp % group_warps;
    own.first_unit = block_of_team * launch.block_units + own.group * group_units;
    const int lane_of_group = own.warp * 32 + own.lane;
    own.j = own.first_unit + lane_of_group % group_units;
    own.q = lane_of_group / group_units;
    own.has_unit = own.j < launch.units && own.q < launch.team.sequences;
    own.warp_has_units = __any_sync(0xFFFFFFFFu, own.has_unit) != 0;
    if (!own.has_unit) own.j = 0;
    return own;
  }
};

/// The sequence that a lane walks with the tile; one of no turns where there is none for it.
struct TeamSequence {
  int b;  // some sequence in any case
  int turns;
  bool there;

  __device__ static TeamSequence Of(const TeamLaunch& launch, const TeamLane& own, const Walk& walk, int tile) {
    const int64_t first = static_cast<int64_t>(tile) * launch.team.sequences;
    TeamSequence sequence;
    sequence.there = own.has_unit && first + own.q < walk.batch;
    sequence.b = static_cast<int>(walk.Sequence(sequence.there ? first + own.q : first));
    sequence.turns = sequence.there ? walk.Turns(sequence.b) : 0;
    return sequence;
  }
};

/// The turns of a tile: those of its longest sequence, which is the first.
__device__ inline int TurnsOfTile(const TeamLaunch& launch, const Walk& walk, int tile) {
  return walk.Turns(walk.Sequence(static_cast<int64_t>(tile) * launch.team.sequences));
}

/// What a lane keeps in shared memory because its registers are full of weights: the parameters of its unit, what it
/// has read ahead, and in the backward pass sums of a few steps. Only the lane itself reads it.
template <int kAhead_, int kSums_>
class LaneStore {
 public:
  static constexpr int kAhead = kAhead_;  // values of a step that are read ahead
  static constexpr int kFloats = 3 * kBlocks + 2 + kSums_ + 2 * kAhead;

  __device__ LaneStore(const TeamLaunch& launch, const CellPlan& cell) : cell_(cell) {
    own_ = Begin(launch) + threadIdx.x / 32 * (kFloats * 32) + threadIdx.x % 32;
  }

  /// Where the shared memory behind all lanes' stores begins.
  __device__ static float* End(const TeamLaunch& launch) {
    return Begin(launch) + static_cast<unsigned>(kFloats) * blockDim.x;
  }

  /// The unit, the sequence, and the unit's parameters for it. One after the other: it is seldom done, and registers
  /// are dear.
  __device__ void Load(const UnitWeights& weights, int64_t sequence, int64_t j) {
    *At(kUnitAt) = __int_as_float(static_cast<int>(j));
    *At(kSequenceAt) = __int_as_float(static_cast<int>(sequence));
#pragma unroll 1
    for (int k = 0; k < kBlocks; ++k) {
      *At(k) = LoadBias(cell_, AnyActivations(cell_), weights, j, k);
      *At(kBlocks + k) = LoadDiagonal(cell_, weights, sequence, j, k);
      if (weights.factors != nullptr)
        *At(2 * kBlocks + k) = weights.factors[(sequence * kBlocks + k) * weights.units + j];
    }
  }
  __device__ float Bias(int k) const { return cell_.bias[k] < 0 && !cell_.fixed[k] ? 0.0f : *At(k); }
  __device__ float Diagonal(int k) const { return cell_.diagonal[k] < 0 ? 0.0f : *At(kBlocks + k); }
  __device__ int Unit() const { return Anew(__float_as_int(*At(kUnitAt))); }
  __device__ int Sequence() const { return Anew(__float_as_int(*At(kSequenceAt))); }
  /// The factor of recurrent dropout of block k, where there is dropout.
  __device__ float Factor(int k) const { return *At(2 * kBlocks + k); }

  /// Value i of the step is on its way. Steps are read one ahead: ReadAhead for step s + 1 ends with CommitCopies;
  /// after WaitCopies<1> those of step s are there.
  __device__ void ReadAhead(int step, int i, const float* from) { CopyAsync<4>(At(AheadSlot(step, i)), from); }
  __device__ float Read(int step, int i) const { return *At(AheadSlot(step, i)); }

  __device__ void ClearShortSums() {
#pragma unroll
    for (int i = 0; i < kSums_; ++i) *At(kSumsAt + i) = 0.0f;
  }
  __device__ void AddToSums(const BlockValues<float>& da, float h_before) {
#pragma unroll
    for (int k = 0; k < kBlocks; ++k) {
      if (cell_.bias[k] >= 0) *At(kSumsAt + k) += da[k];
      if (cell_.diagonal[k] >= 0) *At(kSumsAt + kBlocks + k) += da[k] * h_before;
    }
  }
  /// Adds them to those of all steps, [BiasBlocks + DiagonalBlocks, n] in double precision, and begins anew. One after
  /// the other: it is seldom done, and registers are dear.
  __device__ void FlushSums(double* sums, int64_t units, int64_t j) {
#pragma unroll 1
    for (int k = 0; k < kBlocks; ++k) {
      if (cell_.bias[k] >= 0) sums[cell_.bias[k] * units + j] += static_cast<double>(*At(kSumsAt + k));
      if (cell_.diagonal[k] < 0) continue;
      sums[cell_.DiagonalSum(k) * units + j] += static_cast<double>(*At(kSumsAt + kBlocks + k));
    }
    ClearShortSums();
  }

 private:
  static constexpr int kUnitAt = 3 * kBlocks, kSequenceAt = kUnitAt + 1, kSumsAt = kUnitAt + 2;

  __device__ static float* Begin(const TeamLaunch& launch) {
    return reinterpret_cast<float*>(SharedMemory<unsigned char>() + launch.team.SharedBytes());
  }
  __device__ static int AheadSlot(int step, int i) { return kSumsAt + kSums_ + (step & 1) * kAhead + i; }
  // A warp's lanes lie side by side, so that an address is the lane's and a number that the compiler knows.
  __device__ float* At(int i) const { return own_ + i * 32; }

  const CellPlan& cell_;
  float* own_;
};

using ForwardStore = LaneStore<kBlocks, 0>;                 // the blocks' input products
using BackwardStore = LaneStore<kBlocks + 3, 2 * kBlocks>;  // the blocks' values, c and h before, dh

/// A position's row as the team kernels address it: a team's choice refuses more positions than an int counts, and a
/// row has less than 2^31 floats. The kernels spend most of a step on such arithmetic.
template <class Float>
__device__ inline Float* RowAt(Float* rows, int position, int64_t width, int j) {
  return rows + (static_cast<int64_t>(position) * static_cast<int>(width) + j);
}

__device__ inline void SetKept(const KeptRows& kept, const CellPlan& cell, int position, int units, int j,
                               const BlockValues<float>& values) {
  float* row = RowAt(kept.values, position, kept.width, j);
#pragma unroll
  for (int k = 0; k < kBlocks; ++k) {
    if (cell.kept[k] >= 0) row[cell.kept[k] * units] = values[k];
  }
}

/// U [n, full_blocks * n] as a pass multiplies it: a unit's sums run over its rows forwards, over a block's columns
/// backwards.
struct RecurrentWeights {
  const float* kernel;
  int unit_stride;
  int element_stride;  // of the depth

  /// 0 beyond the layer. What registers hold has less than 2^31 elements, which an int numbers.
  __device__ float At(int position, int units, int unit, int element) const {
    const bool there = unit < units && element < units && position >= 0;
    return there ? kernel[position * units + unit * unit_stride + element * element_stride] : 0.0f;
  }
};

}  // namespace slim::cuda
