#include "cuda/recurrence_team_lane.h"

namespace slim::cuda {
namespace {

// What a lane has read of one step.
struct KeptStep {
  BlockValues<float> values;
  float c_before, h_before, dh;
};

// The step `step` of the walk back, which begins at a sequence's last turn.
__device__ inline int TimeOfStep(const Walk& walk, const TeamSequence& sequence, int step) {
  return step < sequence.turns ? walk.Time(sequence.b, sequence.turns - 1 - step) : -1;
}

__device__ inline KeptStep LoadStep(const TeamBackwardOperands& operands, const TeamSequence& sequence, int64_t units,
                                    int64_t j, int time) {
  KeptStep step = {};
  if (time < 0) return step;
  const int64_t position = sequence.b * operands.walk.steps + time;
  step.values = operands.kept.At(operands.cell, position, units, j);
  step.c_before = operands.kept.c_before[position * units + j];
  step.h_before = operands.kept.StateBefore(position, units, j);
  if (operands.doutput.sequences) step.dh = operands.doutput.At(operands.walk, sequence.b, time)[j];
  return step;
}

template <class Activations>
__device__ inline BlockValues<float> BackwardStep(const CellPlan& cell, const Unit& unit, const KeptStep& step,
                                                  float dh, float& dc) {
  const Activations activations(cell);
  const BlockValues<float> values = ValuesAgain(cell, activations, unit, step.values, step.h_before);
  return StepGradients(cell, activations, values, step.c_before, dh, dc);
}

template <class Shape, bool kDropout>
__global__ void __launch_bounds__(Shape::kMostThreads)
    TeamBackwardKernel(TeamLaunch launch, TeamBackwardOperands operands) {
  constexpr int kOutputs = kDropout ? Shape::kGates : 1;
  const Walk& walk = operands.walk;
  const CellPlan& cell = operands.cell;
  const int64_t units = launch.team.units;
  const bool usual = cell.activation == Activation::kTanh && cell.gate_activation == Activation::kSigmoid;
  TeamExchange exchange(launch.team);
  const TeamLane own = TeamLane::Of<Shape>(launch, exchange.BlockOfTeam());
  // A warp without units sends nothing, so a cluster's barrier does not wait for it: it must not wait for the barrier.
  if (launch.team.kind == TeamKind::kCluster && own.first_unit >= units) return;
  EngineWeights<Shape> weights;
  LoadWeights<Shape>(cell, operands.recurrent_kernel, units, operands.full_blocks * units, 1, own, weights);

  for (int tile = exchange.Team(); tile < launch.tiles; tile += exchange.Teams()) {
    const TeamSequence sequence = TeamSequence::Of(launch, own, walk, tile);
    const int64_t j = own.has_unit ? own.j : 0;
    const int steps = walk.Turns(walk.Sequence(static_cast<int64_t>(tile) * launch.team.sequences));
    const Unit unit = LoadUnit(cell, AnyActivations(cell), operands.weights, sequence.b, j);
    const LaneFactors<Shape> factors(cell, operands.weights, sequence.b, j);
    int time = TimeOfStep(walk, sequence, 0);
    int next_time = TimeOfStep(walk, sequence, 1);
    KeptStep kept = LoadStep(operands, sequence, units, j, time);
    float dh = sequence.there && !operands.doutput.sequences ? operands.doutput.At(walk, sequence.b, 0)[j] : 0.0f;
    float dc = 0.0f;
    UnitSums sums;
    for (int step = 0; step < steps; ++step) {
      const KeptStep next_kept = LoadStep(operands, sequence, units, j, next_time);
      const int later_time = TimeOfStep(walk, sequence, step + 2);

      if (step > 0) {
        float recurrent[kOutputs] = {};
        MultiplyRound<Shape, Shape::kGates, kOutputs>(weights, exchange.Receive(), launch.team, own, recurrent);
#pragma unroll
        for (int o = 0; o < kOutputs; ++o) dh += recurrent[o] * factors.at[o];
      }
      BlockValues<float> da = {};
      if (step < sequence.turns) {
        dh += kept.dh;
        da = usual ? BackwardStep<TanhAndSigmoid>(cell, unit, kept, dh, dc)
                   : BackwardStep<AnyActivations>(cell, unit, kept, dh, dc);
        sums.Add(cell, da, kept.h_before);
        operands.kept.Set(cell, sequence.b * walk.steps + time, units, j, da);
        dh = 0.0f;
#pragma unroll
        for (int k = 0; k < kBlocks; ++k) dh += unit.diagonal[k] * da[k];
      }
      if (step + 1 < steps && own.has_unit) {
#pragma unroll
        for (int g = 0; g < Shape::kGates; ++g) {
          exchange.Send(own.q, g, static_cast<int>(j), OfEngineBlock<Shape>(cell, da, g));
        }
      }
      kept = next_kept;
      time = next_time;
      next_time = later_time;
    }
    if (sequence.there) {
      sums.Store(cell, operands.weights, operands.bias_blocks, sequence.b, j,
                 operands.sums + sequence.b * operands.sum_blocks * units);
    }
  }
}

}  // namespace

#define SLIM_INSTANCE(blocks, units, depth, dropout) TeamBackwardKernel<blocks<units, depth>, dropout>,
const TeamBackwardFunction kTeamBackwardKernels[] = {SLIM_TEAM_INSTANCES(SLIM_INSTANCE)};
#undef SLIM_INSTANCE

}  // namespace slim::cuda
