#include "cuda/recurrence_team_lane.h"

namespace slim::cuda {
namespace {

__device__ inline int TimeOrNone(const Walk& walk, int b, int turns, int turn) {
  return turn < turns ? walk.Time(b, turn) : -1;
}

// The row of input products at a time, -1 where there is none.
__device__ inline int RowOrNone(const Walk& walk, const InputProducts& products, int b, int time) {
  if (time < 0 || products.rows == nullptr) return -1;
  const int64_t position = b * walk.steps + time;
  return products.index == nullptr ? static_cast<int>(position) : products.index[position];
}

__device__ inline void ReadProducts(const InputProducts& products, int64_t units, int row, int j, int turn,
                                    ForwardStore& store) {
  const float* from = products.rows + row * products.width + j;
#pragma unroll
  for (int k = 0; k < kBlocks; ++k) {
    if (products.place[k] >= 0) store.ReadAhead(turn, k, row < 0 ? nullptr : from + products.place[k] * units);
  }
  CommitCopies();
}

template <class Activations>
__device__ inline void ForwardStep(const CellPlan& cell, const ForwardStore& store, const BlockValues<float>& sums,
                                   float& c, float& h, BlockValues<float>& values) {
  const Activations activations(cell);
  values = ValuesOf(cell, activations, store, sums, h);
  c = NextState(values, c);
  h = Output(values, activations.State(c));
}

template <class Shape, bool kDropout>
__global__ void __launch_bounds__(Shape::kMostThreads, 1)
    TeamForwardKernel(const __grid_constant__ TeamLaunch launch, const __grid_constant__ TeamForwardOperands operands) {
  constexpr int kInputs = kDropout ? Shape::kGates : 1;
  const Walk& walk = operands.walk;
  const CellPlan& cell = operands.cell;
  const int units = launch.team.units;
  const bool usual = cell.activation == Activation::kTanh && cell.gate_activation == Activation::kSigmoid;
  const bool drops = (kDropout || Shape::kGates == 1) && operands.weights.factors != nullptr;
  TeamExchange exchange(launch.team);
  const TeamLane own = TeamLane::Of<Shape>(launch, exchange.BlockOfTeam());
  // A warp without units sends nothing, so a cluster's barrier does not wait for it: it must not wait for the barrier.
  if (launch.team.kind == TeamKind::kCluster && own.first_unit >= units) return;
  ForwardStore store(launch, cell);
  EngineWeights<Shape> weights;
  LoadWeights<Shape>(cell, operands.recurrent_kernel, units, 1, operands.full_blocks * units, own, weights);

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
      ReadProducts(operands.products, n, next_row, j, turn + 1, store);
      next_row = RowOrNone(walk, operands.products, b, later_time);
      const int last_time = TimeOrNone(walk, b, sequence.turns, turn + 3);

      float recurrent[Shape::kGates] = {};
      if (turn > 0) {
        MultiplyRound<Shape, kInputs, Shape::kGates>(weights, exchange.Receive(), launch.team, own, recurrent);
      }
      WaitCopies<1>();
      if (turn < sequence.turns) {
        const int64_t position = b * walk.steps + time;
        BlockValues<float> sums;
#pragma unroll
        for (int k = 0; k < kBlocks; ++k) {
          sums[k] = OfCellBlock<Shape>(cell, recurrent, k);
          if (operands.products.place[k] >= 0) sums[k] += store.Read(turn, k);
        }
        if (operands.kept.KeepsStates()) operands.kept.SetStates(position, n, j, c, h);
        BlockValues<float> values;
        if (usual) {
          ForwardStep<TanhAndSigmoid>(cell, store, sums, c, h, values);
        } else {
          ForwardStep<AnyActivations>(cell, store, sums, c, h, values);
        }
        if (operands.kept.KeepsStates()) operands.kept.Set(cell, position, n, j, values);
        if (operands.output.sequences) operands.output.At(walk, b, time)[j] = h;
      }
      if (turn + 1 < steps && own.has_unit) {
#pragma unroll
        for (int i = 0; i < kInputs; ++i) {
          const float factor = drops ? store.Factor(CellBlock<Shape>(cell, i)) : 1.0f;
          exchange.Send(own.q, i, j, turn < sequence.turns ? h * factor : 0.0f);
        }
      }
      time = next_time;
      next_time = later_time;
      later_time = last_time;
    }
    WaitCopies<0>();
    if (sequence.there && !operands.output.sequences) operands.output.At(walk, store.Sequence(), 0)[store.Unit()] = h;
  }
}

}  // namespace

#define SLIM_INSTANCE(blocks, units, depth, dropout) TeamForwardKernel<blocks<units, depth>, dropout>,
const TeamForwardFunction kTeamForwardKernels[] = {SLIM_TEAM_INSTANCES(SLIM_INSTANCE)};
#undef SLIM_INSTANCE

}  // namespace slim::cuda
