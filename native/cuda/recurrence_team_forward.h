#pragma once

#include "cuda/recurrence_team_lane.h"

/// The forward pass of a team, by any engine.
namespace slim::cuda {

__device__ inline int TimeOrNone(const Walk& walk, int b, int turns, int turn) {
  return turn < turns ? walk.Time(b, turn) : -1;
}

/// The row of input products at a time, -1 where there is none.
__device__ inline int RowOrNone(const Walk& walk, const InputProducts& products, int b, int time) {
  if (time < 0 || products.rows == nullptr) return -1;
  const int64_t position = b * walk.steps + time;
  return products.index == nullptr ? static_cast<int>(position) : products.index[position];
}

__device__ inline void ReadProducts(const InputProducts& products, int units, int row, int j, int turn,
                                    ForwardStore& store) {
  if (row >= 0) {
    const float* from = RowAt(products.rows, row, products.width, j);
#pragma unroll
    for (int k = 0; k < kBlocks; ++k) {
      if (products.place[k] >= 0) store.ReadAhead(turn, k, from + products.place[k] * units);
    }
  }
  CommitCopies();
}

__device__ inline void SetStates(const KeptRows& kept, int position, int units, int j, float c, float h) {
  *RowAt(kept.c_before, position, units, j) = c;
  if (kept.h_before != nullptr) *RowAt(kept.h_before, position, units, j) = h;
}

template <class Activations>
__device__ inline void ForwardStep(const CellPlan& cell, const ForwardStore& store, const BlockValues<float>& sums,
                                   float& c, float& h, BlockValues<float>& values) {
  const Activations activations(cell);
  values = ValuesOf(cell, activations, store, sums, h);
  c = NextState(values, c);
  h = Output(values, activations.State(c));
}

template <class Engine>
__global__ void __launch_bounds__(Engine::kMostThreads, 1)
    TeamForwardKernel(const __grid_constant__ TeamLaunch launch, const __grid_constant__ TeamForwardOperands operands) {
  const Walk& walk = operands.walk;
  const CellPlan& cell = operands.cell;
  const int units = launch.units;
  const bool usual = cell.HasTanhAndSigmoid();
  const bool drops = Engine::kDrops && operands.weights.factors != nullptr;
  TeamExchange exchange(launch.team);
  const TeamLane own = Engine::Own(launch, exchange.BlockOfTeam());
  // Who has no units sends nothing, so a cluster's barrier does not wait for it: it must not wait for the barrier.
  if (launch.team.IsCluster() && own.first_unit >= units) return;
  ForwardStore store(launch, cell);
  const Engine engine(launch, cell, own, {operands.recurrent_kernel, 1, operands.full_blocks * units},
                      ForwardStore::End(launch));

  for (int tile = exchange.Team(); tile < launch.tiles; tile += exchange.Teams()) {
    const TeamSequence sequence = TeamSequence::Of(launch, own, walk, tile);
    const int steps = TurnsOfTile(launch, walk, tile);
    store.Load(operands.weights, sequence.b, own.j);
    int time = TimeOrNone(walk, sequence.b, sequence.turns, 0);
    int next_time = TimeOrNone(walk, sequence.b, sequence.turns, 1);
    int later_time = TimeOrNone(walk, sequence.b, sequence.turns, 2);
    ReadProducts(operands.products, units, RowOrNone(walk, operands.products, sequence.b, time), own.j, 0, store);
    int next_row = RowOrNone(walk, operands.products, sequence.b, next_time);
    float c = 0.0f, h = 0.0f;
    for (int turn = 0; turn < steps; ++turn) {
      const int b = store.Sequence(), j = store.Unit(), n = Anew(units);
      int last_time = -1;
      if (own.warp_has_units) {
        ReadProducts(operands.products, n, next_row, j, turn + 1, store);
        next_row = RowOrNone(walk, operands.products, b, later_time);
        last_time = TimeOrNone(walk, b, sequence.turns, turn + 3);
      }

      typename Engine::Sums recurrent = {};
      if (turn > 0) engine.Multiply(exchange.Receive(), turn < sequence.turns, recurrent);
      if (!own.warp_has_units) continue;
      WaitCopies<1>();
      if (turn < sequence.turns) {
        const int position = b * static_cast<int>(walk.steps) + time;
        BlockValues<float> sums;
#pragma unroll
        for (int k = 0; k < kBlocks; ++k) {
          sums[k] = engine.OfBlock(recurrent, k);
          if (operands.products.place[k] >= 0) sums[k] += store.Read(turn, k);
        }
        if (operands.kept.KeepsStates()) SetStates(operands.kept, position, n, j, c, h);
        BlockValues<float> values;
        if (usual) {
          ForwardStep<TanhAndSigmoid>(cell, store, sums, c, h, values);
        } else {
          ForwardStep<AnyActivations>(cell, store, sums, c, h, values);
        }
        if (operands.kept.KeepsStates()) SetKept(operands.kept, cell, position, n, j, values);
        if (operands.output.sequences) operands.output.At(walk, b, time)[j] = h;
      }
      if (turn + 1 < steps) engine.SendState(exchange, store, j, turn < sequence.turns ? h : 0.0f, drops);
      time = next_time;
      next_time = later_time;
      later_time = last_time;
    }
    WaitCopies<0>();
    if (sequence.there && !operands.output.sequences) operands.output.At(walk, store.Sequence(), 0)[store.Unit()] = h;
  }
}

}  // namespace slim::cuda
