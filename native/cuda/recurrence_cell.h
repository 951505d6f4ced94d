#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "backend.h"
#include "cell.h"

/// One unit of one sequence at one step, as all kernels of the recurrence compute it. The formulas are cell.h's.
namespace slim::cuda {

/// What the kernels know of the cell. Arrays are by block; positions are -1 where the block lacks the term.
struct CellPlan {
  Activation activation = Activation::kTanh;
  Activation gate_activation = Activation::kSigmoid;
  bool constant[kBlocks] = {};
  bool fixed[kBlocks] = {};   // the value depends on neither sequence nor step: a constant, or a gate of a bias alone
  float value[kBlocks] = {};  // of constants
  int8_t input[kBlocks] = {-1, -1, -1, -1};     // position in the packed kernel
  int8_t full[kBlocks] = {-1, -1, -1, -1};      // in the packed recurrent kernel
  int8_t diagonal[kBlocks] = {-1, -1, -1, -1};  // in the packed diagonals
  int8_t bias[kBlocks] = {-1, -1, -1, -1};      // in the packed bias
  int8_t kept[kBlocks] = {-1, -1, -1, -1};      // place in a kept row
  int8_t bias_blocks = 0;

  /// Among a sequence's sums of gradients, which are those of the biases and then those of the diagonals.
  __host__ __device__ int DiagonalSum(int block) const { return bias_blocks + diagonal[block]; }
  /// Whether the activations are those that TanhAndSigmoid knows.
  __host__ __device__ bool HasTanhAndSigmoid() const {
    return activation == Activation::kTanh && gate_activation == Activation::kSigmoid;
  }
};

/// By the units for exponentials and reciprocals: a few instructions where the library's functions take forty. Off by
/// less than 1e-6.
__device__ inline float FastSigmoid(float x) { return __fdividef(1.0f, 1.0f + __expf(-x)); }
__device__ inline float FastTanh(float x) {
  // Near zero the quotient cancels: there the terms of tanh's series up to the eleventh power.
  const float square = x * x;
  float series = -1382.0f / 155925.0f;
  series = series * square + 62.0f / 2835.0f;
  series = series * square - 17.0f / 315.0f;
  series = series * square + 2.0f / 15.0f;
  series = series * square - 1.0f / 3.0f;
  const float quotient = 1.0f - __fdividef(2.0f, 1.0f + __expf(2.0f * x));
  return square < 0.09f ? x + x * square * series : quotient;
}

/// The usual pair of activations, known to the compiler.
struct TanhAndSigmoid {
  __device__ explicit TanhAndSigmoid(const CellPlan&) {}
  __device__ float State(float x) const { return FastTanh(x); }
  __device__ float Gate(float x) const { return FastSigmoid(x); }
  __device__ float StateSlope(float y) const { return ActivationSlope(Activation::kTanh, y); }
  __device__ float GateSlope(float y) const { return ActivationSlope(Activation::kSigmoid, y); }
};

/// Any pair without softmax.
struct AnyActivations {
  Activation state, gate;

  __device__ explicit AnyActivations(const CellPlan& cell) : state(cell.activation), gate(cell.gate_activation) {}
  __device__ float State(float x) const { return state == Activation::kTanh ? FastTanh(x) : Rare(state, x); }
  __device__ float Gate(float x) const {
    return gate == Activation::kHardSigmoid ? Activate(Activation::kHardSigmoid, x) : FastSigmoid(x);
  }
  __device__ float StateSlope(float y) const { return ActivationSlope(state, y); }
  __device__ float GateSlope(float y) const { return ActivationSlope(gate, y); }

 private:
  __device__ static float Rare(Activation activation, float x) {
    if (activation == Activation::kSigmoid) return FastSigmoid(x);
    if (activation == Activation::kHardSigmoid) return Activate(Activation::kHardSigmoid, x);
    return activation == Activation::kRelu ? Activate(Activation::kRelu, x) : x;
  }
};

/// The parameters of one unit, with the factors of recurrent dropout of its sequence, in registers. Where registers are
/// dear, others hold them: Parameters below is any class with these two functions.
struct Unit {
  float bias[kBlocks];      // 0 where there is none; of fixed blocks their value
  float diagonal[kBlocks];  // times the factor; 0 where there is none

  __device__ float Bias(int k) const { return bias[k]; }
  __device__ float Diagonal(int k) const { return diagonal[k]; }
};

/// Where a unit's parameters lie.
struct UnitWeights {
  const float* diagonal;  // [DiagonalBlocks, n]
  const float* bias;      // [BiasBlocks * n]
  const float* factors;   // [B, 4, n] of recurrent dropout, or null
  int64_t units;
};

/// What Unit holds of block k.
template <class Activations>
__device__ inline float LoadBias(const CellPlan& cell, const Activations& activations, const UnitWeights& weights,
                                 int64_t j, int k) {
  if (cell.constant[k]) return cell.value[k];
  const float bias = cell.bias[k] < 0 ? 0.0f : weights.bias[cell.bias[k] * weights.units + j];
  return cell.fixed[k] ? activations.Gate(bias) : bias;
}
__device__ inline float LoadDiagonal(const CellPlan& cell, const UnitWeights& weights, int64_t sequence, int64_t j,
                                     int k) {
  if (cell.diagonal[k] < 0) return 0.0f;
  const float diagonal = weights.diagonal[cell.diagonal[k] * weights.units + j];
  if (weights.factors == nullptr) return diagonal;
  return diagonal * weights.factors[(sequence * kBlocks + k) * weights.units + j];
}

template <class Activations>
__device__ inline Unit LoadUnit(const CellPlan& cell, const Activations& activations, const UnitWeights& weights,
                                int64_t sequence, int64_t j) {
  Unit unit;
#pragma unroll
  for (int k = 0; k < kBlocks; ++k) {
    unit.bias[k] = LoadBias(cell, activations, weights, j, k);
    unit.diagonal[k] = LoadDiagonal(cell, weights, sequence, j, k);
  }
  return unit;
}

/// Values of the blocks from the sums of their input and full recurrent products, 0 where a block has neither.
template <class Activations, class Parameters>
__device__ inline BlockValues<float> ValuesOf(const CellPlan& cell, const Activations& activations,
                                              const Parameters& unit, const BlockValues<float>& products,
                                              float h_before) {
  BlockValues<float> values;
#pragma unroll
  for (int k = 0; k < kBlocks; ++k) {
    if (cell.fixed[k]) {
      values[k] = unit.Bias(k);
      continue;
    }
    const float a = unit.Diagonal(k) * h_before + (unit.Bias(k) + products[k]);
    values[k] = k == kCandidate ? activations.State(a) : activations.Gate(a);
  }
  return values;
}

/// The same in the backward pass: blocks that were kept have their values in `kept`, the others see at most a bias and
/// a diagonal and are computed again.
template <class Activations, class Parameters>
__device__ inline BlockValues<float> ValuesAgain(const CellPlan& cell, const Activations& activations,
                                                 const Parameters& unit, const BlockValues<float>& kept,
                                                 float h_before) {
  BlockValues<float> values;
#pragma unroll
  for (int k = 0; k < kBlocks; ++k) {
    if (cell.fixed[k]) {
      values[k] = unit.Bias(k);
    } else if (cell.kept[k] >= 0) {
      values[k] = kept[k];
    } else {
      const float a = unit.Diagonal(k) * h_before + unit.Bias(k);
      values[k] = k == kCandidate ? activations.State(a) : activations.Gate(a);
    }
  }
  return values;
}

/// The gradients of the blocks' pre-activations (0 for constants), from dh of the state after the step; dc becomes
/// the gradient of c before it.
template <class Activations>
__device__ inline BlockValues<float> StepGradients(const CellPlan& cell, const Activations& activations,
                                                   const BlockValues<float>& values, float c_before, float dh,
                                                   float& dc) {
  const float activated = activations.State(NextState(values, c_before));
  const float dc_after = dc + dh * values[kOutputGate] * activations.StateSlope(activated);
  BlockValues<float> da = BlockGradients(values, c_before, activated, dh, dc_after);
#pragma unroll
  for (int k = 0; k < kBlocks; ++k) {
    const float slope = k == kCandidate ? activations.StateSlope(values[k]) : activations.GateSlope(values[k]);
    da[k] = cell.constant[k] ? 0.0f : da[k] * slope;
  }
  dc = dc_after * values[kForgetGate];
  return da;
}

/// A sequence's sums of gradients, [BiasBlocks + DiagonalBlocks, n] in double precision so that the error does not grow
/// with the number of steps: zeros first, and at the end times the factors of recurrent dropout, which are the same at
/// all steps.
__device__ inline void ClearSums(const CellPlan& cell, double* sums, int64_t units, int64_t j) {
#pragma unroll 1
  for (int k = 0; k < kBlocks; ++k) {
    if (cell.bias[k] >= 0) sums[cell.bias[k] * units + j] = 0.0;
    if (cell.diagonal[k] >= 0) sums[cell.DiagonalSum(k) * units + j] = 0.0;
  }
}
__device__ inline void ScaleSums(const CellPlan& cell, const UnitWeights& weights, int64_t sequence, double* sums,
                                 int64_t j) {
  if (weights.factors == nullptr) return;
#pragma unroll 1
  for (int k = 0; k < kBlocks; ++k) {
    if (cell.diagonal[k] < 0) continue;
    const float factor = weights.factors[(sequence * kBlocks + k) * weights.units + j];
    sums[cell.DiagonalSum(k) * weights.units + j] *= static_cast<double>(factor);
  }
}

/// Steps whose sums are single precision.
inline constexpr int kShortSum = 32;

}  // namespace slim::cuda
