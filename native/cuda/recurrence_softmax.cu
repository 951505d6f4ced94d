#include "cuda/context.h"
#include "cuda/launch.h"
#include "cuda/ptx.h"
#include "cuda/recurrence_softmax.h"
#include "cuda/recurrence_turn.h"

namespace slim::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr unsigned kAllLanes = 0xFFFFFFFFu;

struct Sum {
  static constexpr float kNone = 0.0f;
  __device__ float operator()(float a, float b) const { return a + b; }
};
struct Largest {
  static constexpr float kNone = -INFINITY;
  __device__ float operator()(float a, float b) const { return a > b ? a : b; }
};

// Of the values of all threads, the same in all of them. `parts` holds kWarps floats of shared memory.
template <class Reduction>
__device__ float ReduceBlock(float value, float* parts) {
  const Reduction reduce;
  for (int lanes = 16; lanes > 0; lanes /= 2) value = reduce(value, __shfl_xor_sync(kAllLanes, value, lanes));
  __syncthreads();  // who reads the parts of the reduction before has done so
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
  __syncthreads();
  float all = Reduction::kNone;
#pragma unroll 1
  for (int warp = 0; warp < kWarps; ++warp) all = reduce(all, parts[warp]);
  return all;
}

// Each thread writes and reads units threadIdx.x + i * kThreads of the row.
struct RowSoftmax {
  float largest, sum;
  __device__ float operator()(float x) const { return expf(x - largest) / sum; }
};

__device__ RowSoftmax SoftmaxOf(const float* row, int64_t units, float* parts) {
  RowSoftmax softmax{-INFINITY, 0.0f};
#pragma unroll 1
  for (int64_t j = threadIdx.x; j < units; j += kThreads) softmax.largest = fmaxf(softmax.largest, row[j]);
  softmax.largest = ReduceBlock<Largest>(softmax.largest, parts);
#pragma unroll 1
  for (int64_t j = threadIdx.x; j < units; j += kThreads) softmax.sum += expf(row[j] - softmax.largest);
  softmax.sum = ReduceBlock<Sum>(softmax.sum, parts);
  return softmax;
}

__global__ void __launch_bounds__(kThreads) SoftmaxForwardKernel(GraphForwardOperands operands, int turn) {
  float* parts = SharedMemory<float>();
  const Walk& walk = operands.walk;
  const CellPlan& cell = operands.cell;
  const int64_t units = operands.weights.units;
  const int64_t b = blockIdx.x;
  float* candidate = operands.row + b * 3 * units;
  float* state = candidate + units;
  float* output_gate = state + units;
  const AnyActivations activations(cell);
  if (turn < walk.Turns(b)) {
    const int time = walk.Time(b, turn);
    const int64_t position = b * walk.steps + time;
    // AnyActivations passes the candidate's pre-activation through: softmax needs the whole row.
    const auto values_of = [&](int64_t j) {
      const Unit unit = LoadUnit(cell, activations, operands.weights, b, j);
      return ValuesOf(cell, activations, unit, TurnSums(operands, turn, b, position, j), operands.h[b * units + j]);
    };
#pragma unroll 1
    for (int64_t j = threadIdx.x; j < units; j += kThreads) candidate[j] = values_of(j)[kCandidate];
    const RowSoftmax candidates = SoftmaxOf(candidate, units, parts);
#pragma unroll 1
    for (int64_t j = threadIdx.x; j < units; j += kThreads) {
      BlockValues<float> values = values_of(j);
      values[kCandidate] = cell.constant[kCandidate] ? cell.value[kCandidate] : candidates(values[kCandidate]);
      candidate[j] = values[kCandidate];
      output_gate[j] = values[kOutputGate];
      state[j] = NextState(values, operands.c[b * units + j]);
    }
    const RowSoftmax states = SoftmaxOf(state, units, parts);
#pragma unroll 1
    for (int64_t j = threadIdx.x; j < units; j += kThreads) {
      BlockValues<float> values = values_of(j);
      values[kCandidate] = candidate[j];
      FinishTurn(operands, b, time, j, values, state[j], Output(values, states(state[j])));
    }
  }
  if (turn + 1 < walk.steps || operands.output.sequences) return;
#pragma unroll 1
  for (int64_t j = threadIdx.x; j < units; j += kThreads) operands.output.At(walk, b, 0)[j] = operands.h[b * units + j];
}

__global__ void __launch_bounds__(kThreads) SoftmaxBackwardKernel(GraphBackwardOperands operands, int turn) {
  float* parts = SharedMemory<float>();
  const Walk& walk = operands.walk;
  const CellPlan& cell = operands.cell;
  const int64_t units = operands.weights.units;
  const int64_t b = blockIdx.x;
  if (turn >= walk.Turns(b)) return;
  float* state = operands.row + b * 2 * units;
  float* dstate = state + units;
  const int time = walk.Time(b, turn);
  const int64_t position = b * walk.steps + time;
  const AnyActivations activations(cell);
  const auto values_of = [&](int64_t j) {
    const Unit unit = LoadUnit(cell, activations, operands.weights, b, j);
    const float h_before = operands.kept.StateBefore(position, units, j);
    BlockValues<float> values =
        ValuesAgain(cell, activations, unit, operands.kept.At(cell, position, units, j), h_before);
    return values;
  };
  // A candidate that sees neither an input nor a full product is not kept: its row is made again.
  const bool again = cell.kept[kCandidate] < 0 && !cell.constant[kCandidate];
  RowSoftmax candidates{0.0f, 1.0f};
  if (again) {
#pragma unroll 1
    for (int64_t j = threadIdx.x; j < units; j += kThreads) state[j] = values_of(j)[kCandidate];
    candidates = SoftmaxOf(state, units, parts);
  }
  const auto final_values_of = [&](int64_t j) {
    BlockValues<float> values = values_of(j);
    if (again) values[kCandidate] = candidates(values[kCandidate]);
    return values;
  };

#pragma unroll 1
  for (int64_t j = threadIdx.x; j < units; j += kThreads) {
    state[j] = NextState(final_values_of(j), operands.kept.c_before[position * units + j]);
  }
  const RowSoftmax states = SoftmaxOf(state, units, parts);
  float product = 0.0f;
#pragma unroll 1
  for (int64_t j = threadIdx.x; j < units; j += kThreads) {
    const float dactivated = TurnGradient(operands, turn, b, time, j) * final_values_of(j)[kOutputGate];
    product += dactivated * states(state[j]);
  }
  const float state_product = ReduceBlock<Sum>(product, parts);
  product = 0.0f;
#pragma unroll 1
  for (int64_t j = threadIdx.x; j < units; j += kThreads) {
    const BlockValues<float> values = final_values_of(j);
    const float dactivated = TurnGradient(operands, turn, b, time, j) * values[kOutputGate];
    dstate[j] = operands.dc[b * units + j] + states(state[j]) * (dactivated - state_product);
    product += dstate[j] * values[kInputGate] * values[kCandidate];
  }
  const float candidate_product = ReduceBlock<Sum>(product, parts);
#pragma unroll 1
  for (int64_t j = threadIdx.x; j < units; j += kThreads) {
    const BlockValues<float> values = final_values_of(j);
    const Unit unit = LoadUnit(cell, activations, operands.weights, b, j);
    const float h_before = operands.kept.StateBefore(position, units, j);
    BlockValues<float> da = BlockGradients(values, operands.kept.c_before[position * units + j], states(state[j]),
                                           TurnGradient(operands, turn, b, time, j), dstate[j]);
    da[kCandidate] = values[kCandidate] * (da[kCandidate] - candidate_product);
#pragma unroll
    for (int k = 0; k < kBlocks; ++k) {
      if (cell.constant[k]) {
        da[k] = 0.0f;
      } else if (k != kCandidate) {
        da[k] *= activations.GateSlope(values[k]);
      }
    }
    FinishTurnBack(operands, b, position, j, unit, da, dstate[j] * values[kForgetGate], h_before);
  }
}

template <class Operands>
void LaunchRows(const CudaContext& context, void (*kernel)(Operands, int), const Operands& operands, int turn) {
  Launch(kernel,
         LaunchShape{.grid = dim3(static_cast<unsigned>(operands.walk.batch)),
                     .block = dim3(kThreads),
                     .shared_bytes = kWarps * sizeof(float)},
         context.stream, operands, turn);
}

}  // namespace

void SoftmaxForwardTurn(const CudaContext& context, const GraphForwardOperands& operands, int turn) {
  LaunchRows(context, SoftmaxForwardKernel, operands, turn);
}

void SoftmaxBackwardTurn(const CudaContext& context, const GraphBackwardOperands& operands, int turn) {
  LaunchRows(context, SoftmaxBackwardKernel, operands, turn);
}

}  // namespace slim::cuda
