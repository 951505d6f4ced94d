#include "cuda/context.h"
#include "cuda/launch.h"
#include "cuda/memory_operations.h"
#include "cuda/product.h"
#include "cuda/recurrence_graph.h"
#include "cuda/recurrence_softmax.h"
#include "cuda/recurrence_turn.h"

namespace slim::cuda {
namespace {

constexpr int kThreads = 128;

__device__ inline int64_t ThreadIndex() { return static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; }

__global__ void __launch_bounds__(kThreads) ForwardTurnKernel(GraphForwardOperands operands, int turn) {
  const Walk& walk = operands.walk;
  const CellPlan& cell = operands.cell;
  const int64_t units = operands.weights.units;
  const int64_t index = ThreadIndex();
  if (index >= walk.batch * units) return;
  const int64_t b = index / units, j = index % units;
  if (turn < walk.Turns(b)) {
    const int time = walk.Time(b, turn);
    const int64_t position = b * walk.steps + time;
    const AnyActivations activations(cell);
    const Unit unit = LoadUnit(cell, activations, operands.weights, b, j);
    const float h_before = operands.h[index], c_before = operands.c[index];
    const BlockValues<float> sums = TurnSums(operands, turn, b, position, j);
    const BlockValues<float> values = ValuesOf(cell, activations, unit, sums, h_before);
    const float c = NextState(values, c_before);
    FinishTurn(operands, b, time, j, values, c, Output(values, activations.State(c)));
  }
  if (turn + 1 == walk.steps && !operands.output.sequences) operands.output.At(walk, b, 0)[j] = operands.h[index];
}

__global__ void __launch_bounds__(kThreads) BackwardTurnKernel(GraphBackwardOperands operands, int turn) {
  const Walk& walk = operands.walk;
  const CellPlan& cell = operands.cell;
  const int64_t units = operands.weights.units;
  const int64_t index = ThreadIndex();
  if (index >= walk.batch * units) return;
  const int64_t b = index / units, j = index % units;
  if (turn >= walk.Turns(b)) return;
  const int time = walk.Time(b, turn);
  const int64_t position = b * walk.steps + time;
  const AnyActivations activations(cell);
  const Unit unit = LoadUnit(cell, activations, operands.weights, b, j);
  const float h_before = operands.kept.StateBefore(position, units, j);
  const BlockValues<float> kept = operands.kept.At(cell, position, units, j);
  const BlockValues<float> values = ValuesAgain(cell, activations, unit, kept, h_before);
  const float dh = TurnGradient(operands, turn, b, time, j);
  float dc = operands.dc[index];
  const BlockValues<float> da =
      StepGradients(cell, activations, values, operands.kept.c_before[position * units + j], dh, dc);
  FinishTurnBack(operands, b, position, j, unit, da, dc, h_before);
}

LaunchShape OneThreadEach(int64_t count) {
  return {.grid = dim3(static_cast<unsigned>((count + kThreads - 1) / kThreads)), .block = dim3(kThreads)};
}

// recurrent = h U
void MultiplyStates(const CudaContext& context, const RecurrencePlan& plan, const GraphForwardOperands& operands) {
  ProductShape shape = ProductNN(plan.batch, plan.full_width, plan.units);
  if (!plan.recurrent_dropout) {
    Multiply(context, shape, {operands.h, operands.recurrent_kernel, operands.recurrent, nullptr});
    return;
  }
  shape.columns = plan.units;
  shape.a_stride = plan.full_width;
  for (int block = 0; block < plan.full_blocks; ++block) {
    const int64_t at = block * plan.units;
    Multiply(context, shape,
             {operands.masked_h + at, operands.recurrent_kernel + at, operands.recurrent + at, nullptr});
  }
}

// through = da U^T
void MultiplyGradients(const CudaContext& context, const RecurrencePlan& plan, const GraphBackwardOperands& operands) {
  ProductShape shape = ProductNT(plan.batch, plan.units, plan.full_width);
  if (!plan.recurrent_dropout) {
    Multiply(context, shape, {operands.da, operands.recurrent_kernel, operands.through, nullptr});
    return;
  }
  shape.depth = plan.units;
  shape.c_stride = plan.full_width;
  for (int block = 0; block < plan.full_blocks; ++block) {
    const int64_t at = block * plan.units;
    Multiply(context, shape, {operands.da + at, operands.recurrent_kernel + at, operands.through + at, nullptr});
  }
}

}  // namespace

void GraphForward(const CudaContext& context, const RecurrencePlan& plan, const GraphForwardOperands& operands) {
  const size_t state_bytes = static_cast<size_t>(plan.batch * plan.units) * sizeof(float);
  Zero(context, operands.h, state_bytes);
  Zero(context, operands.c, state_bytes);
  for (int turn = 0; turn < plan.steps; ++turn) {
    if (plan.full_blocks > 0 && turn > 0) MultiplyStates(context, plan, operands);
    if (plan.cell.activation == Activation::kSoftmax) {
      SoftmaxForwardTurn(context, operands, turn);
    } else {
      Launch(ForwardTurnKernel, OneThreadEach(plan.batch * plan.units), context.stream, operands, turn);
    }
  }
}

void GraphBackward(const CudaContext& context, const RecurrencePlan& plan, const GraphBackwardOperands& operands) {
  const size_t state_bytes = static_cast<size_t>(plan.batch * plan.units) * sizeof(float);
  Zero(context, operands.dc, state_bytes);
  if (plan.full_blocks > 0) Zero(context, operands.da, static_cast<size_t>(plan.full_blocks) * state_bytes);
  Zero(context, operands.sums, static_cast<size_t>(plan.batch * plan.SumBlocks() * plan.units) * sizeof(double));
  for (int turn = static_cast<int>(plan.steps) - 1; turn >= 0; --turn) {
    if (plan.cell.activation == Activation::kSoftmax) {
      SoftmaxBackwardTurn(context, operands, turn);
    } else {
      Launch(BackwardTurnKernel, OneThreadEach(plan.batch * plan.units), context.stream, operands, turn);
    }
    if (plan.full_blocks > 0 && turn > 0) MultiplyGradients(context, plan, operands);
  }
}

}  // namespace slim::cuda
