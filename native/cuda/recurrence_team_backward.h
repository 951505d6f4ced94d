#pragma once

#include "cuda/recurrence_team_lane.h"

/// The backward pass of a team, by any engine.
namespace slim::cuda {

/// Where what is read of a step lies in the store, behind the blocks' values.
inline constexpr int kCellBefore = kBlocks, kStateBefore = kBlocks + 1, kOutputGradient = kBlocks + 2;

/// The time of step `step` of the walk back, which begins at a sequence's last turn; -1 where it has none.
__device__ inline int TimeOfStep(const Walk& walk, int b, int turns, int step) {
  return step < turns ? walk.Time(b, turns - 1 - step) : -1;
}

__device__ inline void ReadStep(const TeamBackwardOperands& operands, int b, int units, int j, int time, int step,
                                BackwardStore& store) {
  if (time >= 0) {
    const KeptRows& kept = operands.kept;
    const int position = b * static_cast<int>(operands.walk.steps) + time;
    const float* row = RowAt(kept.values, position, kept.width, j);
#pragma unroll
    for (int k = 0; k < kBlocks; ++k) {
      const int place = operands.cell.kept[k];
      if (place >= 0) store.ReadAhead(step, k, row + place * units);
    }
    store.ReadAhead(step, kCellBefore, RowAt(kept.c_before, position, units, j));
    if (kept.h_before != nullptr) store.ReadAhead(step, kStateBefore, RowAt(kept.h_before, position, units, j));
    if (operands.doutput.sequences) {
      store.ReadAhead(step, kOutputGradient, operands.doutput.At(operands.walk, b, time) + j);
    }
  }
  CommitCopies();
}

__device__ inline double* SumsOf(const TeamBackwardOperands& operands, int64_t b, int64_t units) {
  return operands.sums + b * operands.sum_blocks * units;
}

/// The gradients of the blocks' pre-activations, from dh of the state after the step; dc becomes that of c before it.
template <class Activations>
__device__ inline BlockValues<float> BackwardStep(const CellPlan& cell, const BackwardStore& store, int step,
                                                  float h_before, float dh, float& dc) {
  const Activations activations(cell);
  BlockValues<float> kept = {};
#pragma unroll
  for (int k = 0; k < kBlocks; ++k) {
    if (cell.kept[k] >= 0) kept[k] = store.Read(step, k);
  }
  const BlockValues<float> values = ValuesAgain(cell, activations, store, kept, h_before);
  return StepGradients(cell, activations, values, store.Read(step, kCellBefore), dh, dc);
}

template <class Engine>
__global__ void __launch_bounds__(Engine::kMostThreads, 1)
    TeamBackwardKernel(const __grid_constant__ TeamLaunch launch,
                       const __grid_constant__ TeamBackwardOperands operands) {
  const Walk& walk = operands.walk;
  const CellPlan& cell = operands.cell;
  const int units = launch.units;
  const bool usual = cell.HasTanhAndSigmoid();
  const bool drops = Engine::kDrops && operands.weights.factors != nullptr;
  TeamExchange exchange(launch.team);
  const TeamLane own = Engine::Own(launch, exchange.BlockOfTeam());
  // Who has no units sends nothing, so a cluster's barrier does not wait for it: it must not wait for the barrier.
  if (launch.team.IsCluster() && own.first_unit >= units) return;
  BackwardStore store(launch, cell);
  const Engine engine(launch, cell, own, {operands.recurrent_kernel, operands.full_blocks * units, 1},
                      BackwardStore::End(launch));

  for (int tile = exchange.Team(); tile < launch.tiles; tile += exchange.Teams()) {
    const TeamSequence sequence = TeamSequence::Of(launch, own, walk, tile);
    const int steps = TurnsOfTile(launch, walk, tile);
    store.Load(operands.weights, sequence.b, own.j);
    store.ClearShortSums();
    if (sequence.there) ClearSums(cell, SumsOf(operands, sequence.b, units), units, own.j);
    int time = TimeOfStep(walk, sequence.b, sequence.turns, 0);
    int next_time = TimeOfStep(walk, sequence.b, sequence.turns, 1);
    ReadStep(operands, sequence.b, units, own.j, time, 0, store);
    float dh = sequence.there && !operands.doutput.sequences ? operands.doutput.At(walk, sequence.b, 0)[own.j] : 0.0f;
    float dc = 0.0f;
    for (int step = 0; step < steps; ++step) {
      const int b = store.Sequence(), j = store.Unit(), n = Anew(units);
      int later_time = -1;
      if (own.warp_has_units) {
        ReadStep(operands, b, n, j, next_time, step + 1, store);
        later_time = TimeOfStep(walk, b, sequence.turns, step + 2);
      }

      typename Engine::Sums recurrent = {};
      if (step > 0) {
        engine.Multiply(exchange.Receive(), step < sequence.turns, recurrent);
        dh += engine.OfAllBlocks(recurrent, store, drops);
      }
      if (!own.warp_has_units) continue;
      WaitCopies<1>();
      BlockValues<float> da = {};
      if (step < sequence.turns) {
        const float h_before = operands.kept.h_before == nullptr ? 0.0f : store.Read(step, kStateBefore);
        if (operands.doutput.sequences) dh += store.Read(step, kOutputGradient);
        da = usual ? BackwardStep<TanhAndSigmoid>(cell, store, step, h_before, dh, dc)
                   : BackwardStep<AnyActivations>(cell, store, step, h_before, dh, dc);
        store.AddToSums(da, h_before);
        if (step % kShortSum == kShortSum - 1) store.FlushSums(SumsOf(operands, b, n), n, j);
        SetKept(operands.kept, cell, b * static_cast<int>(walk.steps) + time, n, j, da);
        dh = 0.0f;
#pragma unroll
        for (int k = 0; k < kBlocks; ++k) dh += store.Diagonal(k) * da[k];
      }
      if (step + 1 < steps) engine.SendGradients(exchange, j, da);
      time = next_time;
      next_time = later_time;
    }
    WaitCopies<0>();
    if (sequence.there) {
      const int b = store.Sequence(), j = store.Unit();
      double* sums = SumsOf(operands, b, units);
      store.FlushSums(sums, units, j);
      ScaleSums(cell, operands.weights, b, sums, j);
    }
  }
}

}  // namespace slim::cuda
