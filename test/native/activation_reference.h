// The elementwise activations in double precision: what the tests compare with.
#pragma once

#include <algorithm>
#include <cmath>

#include "backend.h"

namespace slim::reference {

inline double Activate(Activation activation, double x) {
  switch (activation) {
    case Activation::kRelu:
      return x > 0 ? x : 0;
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::kHardSigmoid:
      return std::clamp(0.2 * x + 0.5, 0.0, 1.0);
    default:
      return x;
  }
}

// Of the activation whose value is y.
inline double Derivative(Activation activation, double y) {
  switch (activation) {
    case Activation::kRelu:
      return y > 0 ? 1 : 0;
    case Activation::kTanh:
      return 1 - y * y;
    case Activation::kSigmoid:
      return y * (1 - y);
    case Activation::kHardSigmoid:
      return y > 0 && y < 1 ? 0.2 : 0;
    default:
      return 1;
  }
}

}  // namespace slim::reference
