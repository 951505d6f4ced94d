// The elementwise activations and their derivatives on vectors.

#if defined(SLIM_CPU_ACTIVATION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLIM_CPU_ACTIVATION_INL_H_
#undef SLIM_CPU_ACTIVATION_INL_H_
#else
#define SLIM_CPU_ACTIVATION_INL_H_
#endif

#include "backend.h"
#include "cpu/math-inl.h"
#include "cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {

// Each elementwise activation as a function of x, and its derivative told from the output.
struct LinearFunction {
  HWY_INLINE Floats Value(Floats x) const { return x; }
  HWY_INLINE Floats Derivative(Floats) const { return hn::Set(kFloats, 1.0f); }
};
struct ReluFunction {
  HWY_INLINE Floats Value(Floats x) const { return Relu(x); }
  HWY_INLINE Floats Derivative(Floats y) const {
    return hn::IfThenElseZero(hn::Gt(y, hn::Zero(kFloats)), hn::Set(kFloats, 1.0f));
  }
};
struct TanhFunction {
  HWY_INLINE Floats Value(Floats x) const { return Tanh(x); }
  HWY_INLINE Floats Derivative(Floats y) const { return hn::NegMulAdd(y, y, hn::Set(kFloats, 1.0f)); }
};
struct SigmoidFunction {
  HWY_INLINE Floats Value(Floats x) const { return Sigmoid(x); }
  HWY_INLINE Floats Derivative(Floats y) const { return hn::Mul(y, hn::Sub(hn::Set(kFloats, 1.0f), y)); }
};
struct HardSigmoidFunction {
  HWY_INLINE Floats Value(Floats x) const { return HardSigmoid(x); }
  HWY_INLINE Floats Derivative(Floats y) const {
    const FloatMask inside = hn::And(hn::Gt(y, hn::Zero(kFloats)), hn::Lt(y, hn::Set(kFloats, 1.0f)));
    return hn::IfThenElseZero(inside, hn::Set(kFloats, 0.2f));
  }
};

// Calls run.template operator()<Function>() with the activation's function; softmax is none and counts as linear.
template <class Run>
HWY_INLINE void WithActivation(Activation activation, const Run& run) {
  switch (activation) {
    case Activation::kRelu:
      return run.template operator()<ReluFunction>();
    case Activation::kTanh:
      return run.template operator()<TanhFunction>();
    case Activation::kSigmoid:
      return run.template operator()<SigmoidFunction>();
    case Activation::kHardSigmoid:
      return run.template operator()<HardSigmoidFunction>();
    case Activation::kLinear:
    case Activation::kSoftmax:
      return run.template operator()<LinearFunction>();
  }
}

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // SLIM_CPU_ACTIVATION_INL_H_
