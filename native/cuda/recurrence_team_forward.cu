#include "cuda/recurrence_team_lane.h"

namespace slim::cuda {
namespace {

// What a lane has read ahead: the products of the next step, and the positions of those behind it.
struct ForwardAhead {
  BlockValues<float> products;
  int time;              // of the turn whose products these are
  int next_time;         // of the turn after it; -1 beyond the last
  int64_t next_row;      // and its row of input products
  int later_time;
};

__device__ inline int TimeOrNone(const Walk& walk, const TeamSequence& sequence, int turn) {
  return turn < sequence.turns ? walk.Time(sequence.b, turn) : -1;
}

__device__ inline int64_t RowOrNone(const Walk& walk, const InputProducts& products, const TeamSequence& sequence,
                                    int time) {
  if (time < 0) return -1;
  const int64_t position = sequence.b * walk.steps + time;
  return products.index == nullptr ? position : products.index[position];
}

__device__ inline BlockValues<float> ProductsOf(const InputProducts& products, int64_t units, int64_t row, int64_t j) {
  BlockValues<float> values;
  const float* from = products.rows + row * products.width + j;
#pragma unroll
  for (int k = 0; k < kBlocks; ++k) {
    values[k] = row >= 0 && products.place[k] >= 0 ? from[products.place[k] * units] : 0.0f;
  }
  return values;
}

template <class Activations>
__device__ inline void ForwardStep(const CellPlan& cell, const Unit& unit, const BlockValues<float>& sums, float& c,
                                   float& h, BlockValues<float>& values) {
  const Activations activations(cell);
  values = ValuesOf(cell, activations, unit, sums, h);
  c = NextState(values, c);
  h = Output(values, activations.State(c));
}

template <class Shape, bool kDropout>
__global__ void __launch_bounds__(Shape::kMostThreads)
    TeamForwardKernel(TeamLaunch launch, TeamForwardOperands operands) {
  constexpr int kInputs = kDropout ? Shape::kGates : 1;
  const Walk& walk = operands.walk;
  const CellPlan& cell = operands.cell;
  const int64_t units = launch.team.units;
  const bool usual = cell.activation == Activation::kTanh && cell.gate_activation == Activation::kSigmoid;
  TeamExchange exchange(launch.team);
  const TeamLane own = TeamLane::Of<Shape>(launch, exchange.BlockOfTeam());
  // A warp without units sends nothing, so a cluster's barrier does not wait for it: it must not wait for the barrier.
  if (launch.team.kind == TeamKind::kCluster && own.first_unit >= units) return;
  EngineWeights<Shape> weights;
  LoadWeights<Shape>(cell, operands.recurrent_kernel, units, 1, operands.full_blocks * units, own, weights);

  for (int tile = exchange.Team(); tile < launch.tiles; tile += exchange.Teams()) {
    const TeamSequence sequence = TeamSequence::Of(launch, own, walk, tile);
    const int64_t j = own.has_unit ? own.j : 0;
    const int steps = walk.Turns(walk.Sequence(static_cast<int64_t>(tile) * launch.team.sequences));
    const Unit unit = LoadUnit(cell, AnyActivations(cell), operands.weights, sequence.b, j);
    const LaneFactors<Shape> factors(cell, operands.weights, sequence.b, j);
    ForwardAhead ahead;
    ahead.time = TimeOrNone(walk, sequence, 0);
    ahead.next_time = TimeOrNone(walk, sequence, 1);
    ahead.later_time = TimeOrNone(walk, sequence, 2);
    ahead.products =
        ProductsOf(operands.products, units, RowOrNone(walk, operands.products, sequence, ahead.time), j);
    ahead.next_row = RowOrNone(walk, operands.products, sequence, ahead.next_time);
    float c = 0.0f, h = 0.0f;
    for (int turn = 0; turn < steps; ++turn) {
      const BlockValues<float> next_products = ProductsOf(operands.products, units, ahead.next_row, j);
      const int64_t later_row = RowOrNone(walk, operands.products, sequence, ahead.later_time);
      const int last_time = TimeOrNone(walk, sequence, turn + 3);

      float recurrent[Shape::kGates] = {};
      if (turn > 0) {
        MultiplyRound<Shape, kInputs, Shape::kGates>(weights, exchange.Receive(), launch.team, own, recurrent);
      }
      if (turn < sequence.turns) {
        const int64_t position = sequence.b * walk.steps + ahead.time;
        BlockValues<float> sums = ahead.products;
#pragma unroll
        for (int k = 0; k < kBlocks; ++k) sums[k] += OfCellBlock<Shape>(cell, recurrent, k);
        if (operands.kept.KeepsStates()) operands.kept.SetStates(position, units, j, c, h);
        BlockValues<float> values;
        if (usual) {
          ForwardStep<TanhAndSigmoid>(cell, unit, sums, c, h, values);
        } else {
          ForwardStep<AnyActivations>(cell, unit, sums, c, h, values);
        }
        if (operands.kept.KeepsStates()) operands.kept.Set(cell, position, units, j, values);
        if (operands.output.sequences) operands.output.At(walk, sequence.b, ahead.time)[j] = h;
      }
      if (turn + 1 < steps && own.has_unit) {
#pragma unroll
        for (int i = 0; i < kInputs; ++i) {
          exchange.Send(own.q, i, static_cast<int>(j), turn < sequence.turns ? h * factors.at[i] : 0.0f);
        }
      }
      ahead = {next_products, ahead.next_time, ahead.later_time, later_row, last_time};
    }
    if (sequence.there && !operands.output.sequences) operands.output.At(walk, sequence.b, 0)[j] = h;
  }
}

}  // namespace

#define SLIM_INSTANCE(blocks, units, depth, dropout) TeamForwardKernel<blocks<units, depth>, dropout>,
const TeamForwardFunction kTeamForwardKernels[] = {SLIM_TEAM_INSTANCES(SLIM_INSTANCE)};
#undef SLIM_INSTANCE

}  // namespace slim::cuda
