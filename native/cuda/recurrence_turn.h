#pragma once

#include "cuda/recurrence_graph.h"

/// What the kernels of one turn (K5) read and write of global memory, for one unit of one sequence.
namespace slim::cuda {

/// Sums of the input and the full recurrent products.
__device__ inline BlockValues<float> TurnSums(const GraphForwardOperands& operands, int turn, int64_t b,
                                              int64_t position, int64_t j) {
  const int64_t units = operands.weights.units;
  BlockValues<float> sums = operands.products.At(position, units, j);
  if (turn == 0) return sums;  // h is zero
#pragma unroll
  for (int k = 0; k < kBlocks; ++k) {
    const int at = operands.cell.full[k];
    if (at >= 0) sums[k] += operands.recurrent[(b * operands.full_blocks + at) * units + j];
  }
  return sums;
}

/// Keeps what the backward pass needs and hands on the state.
__device__ inline void FinishTurn(const GraphForwardOperands& operands, int64_t b, int time, int64_t j,
                                  const BlockValues<float>& values, float c, float h) {
  const Walk& walk = operands.walk;
  const int64_t units = operands.weights.units;
  const int64_t position = b * walk.steps + time;
  float& h_at = operands.h[b * units + j];
  float& c_at = operands.c[b * units + j];
  if (operands.kept.KeepsStates()) {
    operands.kept.Set(operands.cell, position, units, j, values);
    operands.kept.SetStates(position, units, j, c_at, h_at);
  }
  h_at = h;
  c_at = c;
  if (operands.weights.factors != nullptr) {
#pragma unroll
    for (int k = 0; k < kBlocks; ++k) {
      const int at = operands.cell.full[k];
      if (at < 0) continue;
      operands.masked_h[(b * operands.full_blocks + at) * units + j] =
          h * operands.weights.factors[(b * kBlocks + k) * units + j];
    }
  }
  if (operands.output.sequences) operands.output.At(walk, b, time)[j] = h;
}

/// dh of the state after the turn.
__device__ inline float TurnGradient(const GraphBackwardOperands& operands, int turn, int64_t b, int time, int64_t j) {
  const Walk& walk = operands.walk;
  const int64_t units = operands.weights.units;
  const bool last = turn + 1 == walk.Turns(b);
  float dh = operands.doutput.sequences || last ? operands.doutput.At(walk, b, time)[j] : 0.0f;
  if (last) return dh;
  dh += operands.dh[b * units + j];
  if (operands.full_blocks == 0) return dh;
  if (operands.weights.factors == nullptr) return dh + operands.through[b * units + j];
#pragma unroll
  for (int k = 0; k < kBlocks; ++k) {
    const int at = operands.cell.full[k];
    if (at < 0) continue;
    dh += operands.through[(b * operands.full_blocks + at) * units + j] *
          operands.weights.factors[(b * kBlocks + k) * units + j];
  }
  return dh;
}

/// Hands on what the turn before and the gradients of the weights need.
__device__ inline void FinishTurnBack(const GraphBackwardOperands& operands, int64_t b, int64_t position, int64_t j,
                                      const Unit& unit, const BlockValues<float>& da, float dc, float h_before) {
  const CellPlan& cell = operands.cell;
  const int64_t units = operands.weights.units;
  operands.kept.Set(cell, position, units, j, da);
  operands.dc[b * units + j] = dc;
  double* sums = operands.sums + b * operands.sum_blocks * units + j;
  float dh = 0.0f;
#pragma unroll
  for (int k = 0; k < kBlocks; ++k) {
    dh += unit.diagonal[k] * da[k];
    if (cell.full[k] >= 0) operands.da[(b * operands.full_blocks + cell.full[k]) * units + j] = da[k];
    if (cell.bias[k] >= 0) sums[cell.bias[k] * units] += static_cast<double>(da[k]);
    if (cell.diagonal[k] < 0) continue;
    const float factor =
        operands.weights.factors == nullptr ? 1.0f : operands.weights.factors[(b * kBlocks + k) * units + j];
    sums[cell.DiagonalSum(k) * units] += static_cast<double>(da[k] * h_before * factor);
  }
  operands.dh[b * units + j] = dh;
}

}  // namespace slim::cuda
