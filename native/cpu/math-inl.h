// Activations on vectors, in single precision. NaN comes out as NaN.
//
// The largest errors against double precision, of a walk over every 4001st float (test/native/math_test.cc holds them):
//
//   Exp      1e-7 relative where the result is a normal number
//   Sigmoid  1e-7 absolute; relative 6e-7 from x = -10 on, rising to 4e-6 at x = -88 (a third of these where there are
//            fused multiply-adds); 0 below x = -88.8
//   Tanh     2.5e-7 absolute, 5e-7 relative; exactly 1 and -1 from |x| = 9.02 on, and never beyond them
//
// All rest on e^x = 2^n e^r with n = round(x / ln 2), or on its finer form below; the polynomials are this project's
// own minimax fits.

#if defined(SLIM_CPU_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLIM_CPU_MATH_INL_H_
#undef SLIM_CPU_MATH_INL_H_
#else
#define SLIM_CPU_MATH_INL_H_
#endif

#include <cstdint>

#include "cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {

namespace math {

using IntTag = hn::RebindToSigned<FloatTag>;
using Ints = hn::Vec<IntTag>;

HWY_INLINE Floats Constant(float value) { return hn::Set(kFloats, value); }

// max(x, low) and min(x, high) that let NaN through. The instructions of x86 return their second operand where one is
// NaN; elsewhere a comparison does it.
HWY_INLINE Floats AtLeast(Floats x, float low) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
  return hn::Max(Constant(low), x);
#else
  return hn::IfThenElse(hn::Lt(x, Constant(low)), Constant(low), x);
#endif
}
HWY_INLINE Floats AtMost(Floats x, float high) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
  return hn::Min(Constant(high), x);
#else
  return hn::IfThenElse(hn::Gt(x, Constant(high)), Constant(high), x);
#endif
}

// ln 2 in two parts; the first has 15 bits, so that its product with an exponent is exact.
inline constexpr float kLn2High = 0.693145751953125f;
inline constexpr float kLn2Low = 1.42860677e-6f;
inline constexpr float kLog2E = 1.44269504f;

// 1.5 * 2^23: adding it to a float of moderate size leaves the nearest integer in the low bits.
inline constexpr float kRounder = 12582912.0f;

// e^r for |r| <= ln 2 / 2, relative error of the polynomial 3.1e-9.
HWY_INLINE Floats ExpOfRemainder(Floats r) {
  Floats p = hn::MulAdd(r, Constant(1.3814598512987787e-3f), Constant(8.368716883564836e-3f));
  p = hn::MulAdd(r, p, Constant(4.166838804802952e-2f));
  p = hn::MulAdd(r, p, Constant(1.6666520631667842e-1f));
  p = hn::MulAdd(r, p, Constant(4.999999344778311e-1f));
  p = hn::MulAdd(r, p, Constant(1.0f));
  return hn::MulAdd(r, p, Constant(1.0f));
}

// 2^n as a float for -127 <= n <= 128, from n + 127 in the low bits: 0 for -127, infinity for 128.
HWY_INLINE Floats PowerOfBiased(Ints biased) { return hn::BitCast(kFloats, hn::ShiftLeft<23>(biased)); }

// --- e^x to what the cell needs --------------------------------------------------------------------------------------
//
// Gates and candidates are the bulk of the work between the products, and multiply-adds bound them. A table of 2^(j/8)
// in a register shortens the polynomial: e^x = 2^(n/8) p(r) with n = round(8 x / ln 2) and 8 x / ln 2 = n + r. Vectors
// that cannot hold the table do with the whole powers of 2 and a longer polynomial.

// Coefficients of (e^(r ln 2 / 2^bits) - 1) / r for |r| <= 1/2, from the constant on: that for the sigmoid with the
// least error beside 1, that for tanh with the least error beside the function itself.
template <size_t kSigmoid, size_t kTanh>
struct FineExp {
  int bits;
  float sigmoid[kSigmoid];
  float tanh[kTanh];
};

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
inline constexpr FineExp<3, 4> kFine = {
    3,
    {8.6643402e-2f, 3.7540255e-3f, 1.0839106e-4f},
    {8.6643397e-2f, 3.7535392e-3f, 1.0841663e-4f, 2.3481761e-6f},
};
#else
inline constexpr FineExp<6, 6> kFine = {
    0,
    {6.9314720e-1f, 2.4022648e-1f, 5.5503325e-2f, 9.6184374e-3f, 1.3398874e-3f, 1.5353362e-4f},
    {6.9314719e-1f, 2.4022650e-1f, 5.5503574e-2f, 9.6182374e-3f, 1.3390736e-3f, 1.5403513e-4f},
};
#endif

// coefficients[kFirst] + r (coefficients[kFirst + 1] + ...)
template <size_t kFirst = 0, size_t kCount>
HWY_INLINE Floats Polynomial(Floats r, const float (&coefficients)[kCount]) {
  if constexpr (kFirst + 1 == kCount) {
    return Constant(coefficients[kFirst]);
  } else {
    return hn::MulAdd(r, Polynomial<kFirst + 1>(r, coefficients), Constant(coefficients[kFirst]));
  }
}

// e^(scale x) = value e^(remainder ln 2 / 2^bits), |remainder| <= 1/2.
struct FinePower {
  Floats value;
  Floats remainder;
};

// 2^(n / 2^bits) from a float whose low bits hold n: n moves to where the exponent lies, and what its lower bits leave
// behind there the table has subtracted.
HWY_INLINE Floats FinePowerOf(Floats rounded) {
  const IntTag ints;
  const Ints n = hn::BitCast(ints, rounded);
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  // The bits of 2^(j / 8) less j * 2^20, twice for vectors of 16.
  HWY_ALIGN static constexpr int32_t kTable[16] = {
      0x3f800000, 0x3f7b95c2, 0x3f7837f0, 0x3f75fed7, 0x3f7504f3, 0x3f75672a, 0x3f7744fd, 0x3f7ac0c7,
      0x3f800000, 0x3f7b95c2, 0x3f7837f0, 0x3f75fed7, 0x3f7504f3, 0x3f75672a, 0x3f7744fd, 0x3f7ac0c7};
#if HWY_IS_DEBUG_BUILD  // then Highway checks the indices; the instructions see the low bits alone
  const auto places = hn::IndicesFromVec(ints, hn::And(n, hn::Set(ints, 7)));
#else
  const auto places = hn::IndicesFromVec(ints, n);
#endif
  const Ints base = hn::TableLookupLanes(hn::Load(ints, kTable), places);
#else
  const Ints base = hn::Set(ints, 0x3f800000);
#endif
  return hn::BitCast(kFloats, hn::Add(hn::ShiftLeft<23 - kFine.bits>(n), base));
}

HWY_INLINE FinePower PowerAndRemainder(Floats x, float scale) {
  const Floats factor = Constant(scale * kLog2E * static_cast<float>(1 << kFine.bits));
  const Floats rounder = Constant(kRounder);
  const Floats rounded = hn::MulAdd(x, factor, rounder);
  return {FinePowerOf(rounded), hn::MulSub(x, factor, hn::Sub(rounded, rounder))};
}

// Of an argument that is scaled already, by scale * log2(e) * 2^bits.
HWY_INLINE FinePower PowerAndRemainderOfScaled(Floats t) {
  const Floats rounder = Constant(kRounder);
  const Floats rounded = hn::Add(t, rounder);
  return {FinePowerOf(rounded), hn::Sub(t, hn::Sub(rounded, rounder))};
}

}  // namespace math

// e^x; 0 below x = -104 (where denormals are flushed, below -87.3), infinity above 88.72.
HWY_INLINE Floats Exp(Floats x) {
  const math::IntTag ints;
  const Floats clamped = math::AtMost(math::AtLeast(x, -104.0f), 89.0f);
  const Floats rounded = hn::MulAdd(clamped, math::Constant(math::kLog2E), math::Constant(math::kRounder));
  const Floats n = hn::Sub(rounded, math::Constant(math::kRounder));
  Floats r = hn::NegMulAdd(n, math::Constant(math::kLn2High), clamped);
  r = hn::NegMulAdd(n, math::Constant(math::kLn2Low), r);
  // In two steps, since 2^n alone may lie outside the range of floats where the result does not.
  const math::Ints whole = hn::Sub(hn::BitCast(ints, rounded), hn::Set(ints, 0x4B400000));
  const math::Ints half = hn::ShiftRight<1>(whole);
  const math::Ints bias = hn::Set(ints, 127);
  const Floats scaled = hn::Mul(math::ExpOfRemainder(r), math::PowerOfBiased(hn::Add(half, bias)));
  return hn::Mul(scaled, math::PowerOfBiased(hn::Add(hn::Sub(whole, half), bias)));
}

// Sigmoid where |x| <= kSigmoidBound.
inline constexpr float kSigmoidBound = 87.3f;
HWY_INLINE Floats SigmoidWithinBound(Floats x) {
  const math::FinePower power = math::PowerAndRemainder(x, -1.0f);
  const Floats one = math::Constant(1.0f);
  const Floats factor = hn::MulAdd(power.remainder, math::Polynomial(power.remainder, math::kFine.sigmoid), one);
  return hn::Div(one, hn::MulAdd(factor, power.value, one));
}

// 1 / (1 + e^-x)
HWY_INLINE Floats Sigmoid(Floats x) {
  // At the lower bound, -128 ln 2, e^-x becomes infinite; at the upper one it is lost beside 1.
  return SigmoidWithinBound(math::AtMost(math::AtLeast(x, -88.7228394f), kSigmoidBound));
}

// (e^y - 1) / (e^y - 1 + 2) with y = 2 x; e^y - 1 = 2^n (e^r - 1) + (2^n - 1) loses little where y is small, and what
// it loses elsewhere the fraction damps.
HWY_INLINE Floats Tanh(Floats x) {
  const Floats clamped = math::AtMost(math::AtLeast(x, -9.02f), 9.02f);
  const math::FinePower power = math::PowerAndRemainder(clamped, 2.0f);
  const Floats beyond = hn::Mul(power.remainder, math::Polynomial(power.remainder, math::kFine.tanh));
  const Floats e = hn::MulAdd(power.value, beyond, hn::Sub(power.value, math::Constant(1.0f)));
  return hn::Div(e, hn::Add(e, math::Constant(2.0f)));
}

// --- Of scaled arguments ---------------------------------------------------------------------------------------------
//
// Where an argument is a sum of products, its scale can be taken into their factors once, and two functions that are
// multiplied can share a division. What is lost is the rounding of the scaled argument: 6e-8 |x| of e^x.

inline constexpr float kSigmoidScale = -math::kLog2E * static_cast<float>(1 << math::kFine.bits);
inline constexpr float kTanhScale = 2 * math::kLog2E * static_cast<float>(1 << math::kFine.bits);

// 1 + e^-x from t = kSigmoidScale x, |x| <= kSigmoidBound: the sigmoid is its inverse.
HWY_INLINE Floats SigmoidDenominator(Floats t) {
  const math::FinePower power = math::PowerAndRemainderOfScaled(t);
  const Floats one = math::Constant(1.0f);
  const Floats factor = hn::MulAdd(power.remainder, math::Polynomial(power.remainder, math::kFine.sigmoid), one);
  return hn::MulAdd(factor, power.value, one);
}

struct Fraction {
  Floats numerator, denominator;
};

// tanh(x) from t = kTanhScale x; the denominator is from 1 to 7e7.
HWY_INLINE Fraction TanhFraction(Floats t) {
  const Floats clamped = math::AtMost(math::AtLeast(t, -9.02f * kTanhScale), 9.02f * kTanhScale);
  const math::FinePower power = math::PowerAndRemainderOfScaled(clamped);
  const Floats beyond = hn::Mul(power.remainder, math::Polynomial(power.remainder, math::kFine.tanh));
  const Floats e = hn::MulAdd(power.value, beyond, hn::Sub(power.value, math::Constant(1.0f)));
  return {e, hn::Add(e, math::Constant(2.0f))};
}

// clip(0.2 x + 0.5, 0, 1)
HWY_INLINE Floats HardSigmoid(Floats x) {
  const Floats line = hn::MulAdd(x, math::Constant(0.2f), math::Constant(0.5f));
  return math::AtMost(math::AtLeast(line, 0.0f), 1.0f);
}

HWY_INLINE Floats Relu(Floats x) { return math::AtLeast(x, 0.0f); }

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // SLIM_CPU_MATH_INL_H_
