// Activations on vectors, in single precision.

#if defined(SLIM_CPU_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLIM_CPU_MATH_INL_H_
#undef SLIM_CPU_MATH_INL_H_
#else
#define SLIM_CPU_MATH_INL_H_
#endif

#include "cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {

// e^x; 0 below -104, infinity above 88.73.
HWY_INLINE Floats Exp(Floats x);

// 1 / (1 + e^-x)
HWY_INLINE Floats Sigmoid(Floats x);

HWY_INLINE Floats Tanh(Floats x);

// clip(0.2 x + 0.5, 0, 1)
HWY_INLINE Floats HardSigmoid(Floats x);

HWY_INLINE Floats Relu(Floats x);

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // SLIM_CPU_MATH_INL_H_
