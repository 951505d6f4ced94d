#pragma once

#include <cmath>

#include "backend.h"
#include "philox.h"

/// The mathematics of one unit of the cell at one step, written once: the plain path, its tests and the kernels of
/// other devices compile it. Real is float or double. Source of the equations: Cell in backend.h.
namespace slim {

template <class Real>
SLIM_HOST_DEVICE inline Real Sigmoid(Real x) {
  return Real(1) / (Real(1) + std::exp(-x));
}

/// Keras' piecewise linear sigmoid of the published runs: clip(0.2 x + 0.5, 0, 1).
template <class Real>
SLIM_HOST_DEVICE inline Real HardSigmoid(Real x) {
  const Real y = Real(0.2) * x + Real(0.5);
  return y < Real(0) ? Real(0) : y > Real(1) ? Real(1) : y;
}

/// The activation of one element. Softmax depends on the whole row and is not one of these: SoftmaxRow.
template <class Real>
SLIM_HOST_DEVICE inline Real Activate(Activation activation, Real x) {
  switch (activation) {
    case Activation::kRelu:
      return x > Real(0) ? x : Real(0);
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kSigmoid:
      return Sigmoid(x);
    case Activation::kHardSigmoid:
      return HardSigmoid(x);
    case Activation::kLinear:
    case Activation::kSoftmax:
      break;
  }
  return x;
}

/// The activation's derivative where its value is y. At a kink it is that of the flat side, as in Keras.
template <class Real>
SLIM_HOST_DEVICE inline Real ActivationSlope(Activation activation, Real y) {
  switch (activation) {
    case Activation::kRelu:
      return y > Real(0) ? Real(1) : Real(0);
    case Activation::kTanh:
      return (Real(1) - y) * (Real(1) + y);
    case Activation::kSigmoid:
      return y * (Real(1) - y);
    case Activation::kHardSigmoid:
      return y > Real(0) && y < Real(1) ? Real(0.2) : Real(0);
    case Activation::kLinear:
    case Activation::kSoftmax:
      break;
  }
  return Real(1);
}

/// y[j] = exp(x[j]) / sum of exp(x), with the largest x taken off first. May be in place.
template <class Real>
SLIM_HOST_DEVICE inline void SoftmaxRow(int64_t width, const Real* x, Real* y) {
  Real largest = x[0];
  for (int64_t j = 1; j < width; ++j) largest = x[j] > largest ? x[j] : largest;
  Real sum = 0;
  for (int64_t j = 0; j < width; ++j) {
    y[j] = std::exp(x[j] - largest);
    sum += y[j];
  }
  for (int64_t j = 0; j < width; ++j) y[j] /= sum;
}

/// dx[j] = y[j] * (dy[j] - sum of dy * y), where y is the softmax of x. May be in place.
template <class Real>
SLIM_HOST_DEVICE inline void SoftmaxRowGradient(int64_t width, const Real* y, const Real* dy, Real* dx) {
  Real sum = 0;
  for (int64_t j = 0; j < width; ++j) sum += dy[j] * y[j];
  for (int64_t j = 0; j < width; ++j) dx[j] = y[j] * (dy[j] - sum);
}

template <class Real>
SLIM_HOST_DEVICE inline void ActivateRow(Activation activation, int64_t width, const Real* x, Real* y) {
  if (activation == Activation::kSoftmax) return SoftmaxRow(width, x, y);
  for (int64_t j = 0; j < width; ++j) y[j] = Activate(activation, x[j]);
}

template <class Real>
SLIM_HOST_DEVICE inline void ActivateRowGradient(Activation activation, int64_t width, const Real* y, const Real* dy,
                                                 Real* dx) {
  if (activation == Activation::kSoftmax) return SoftmaxRowGradient(width, y, dy, dx);
  for (int64_t j = 0; j < width; ++j) dx[j] = dy[j] * ActivationSlope(activation, y[j]);
}

/// Values of the four blocks of one unit: gates after s, the candidate after g; or the gradients of those values.
template <class Real>
struct BlockValues {
  Real value[kBlocks];

  SLIM_HOST_DEVICE Real& operator[](int block) { return value[block]; }
  SLIM_HOST_DEVICE const Real& operator[](int block) const { return value[block]; }
};

/// c_t = f c_{t-1} + i c~.
template <class Real>
SLIM_HOST_DEVICE inline Real NextState(const BlockValues<Real>& blocks, Real c_before) {
  return blocks[kForgetGate] * c_before + blocks[kInputGate] * blocks[kCandidate];
}

/// h_t = o g(c_t), given g(c_t).
template <class Real>
SLIM_HOST_DEVICE inline Real Output(const BlockValues<Real>& blocks, Real activated_state) {
  return blocks[kOutputGate] * activated_state;
}

/// The gradient of the four blocks' values at one step: from dh, the gradient of h_t, and dc, that of c_t with what
/// came through h_t in it.
template <class Real>
SLIM_HOST_DEVICE inline BlockValues<Real> BlockGradients(const BlockValues<Real>& blocks, Real c_before,
                                                         Real activated_state, Real dh, Real dc) {
  BlockValues<Real> d;
  d[kInputGate] = dc * blocks[kCandidate];
  d[kForgetGate] = dc * c_before;
  d[kCandidate] = dc * blocks[kInputGate];
  d[kOutputGate] = dh * activated_state;
  return d;
}

/// What dropout multiplies element `index` of a stream by: 0, or 1 / (1 - rate).
template <class Real>
SLIM_HOST_DEVICE inline Real DropoutFactor(const RandomStream& stream, float rate, uint64_t index) {
  return stream.Word(index) < DropThreshold(rate) ? Real(0) : Real(1) / (Real(1) - Real(rate));
}

}  // namespace slim
