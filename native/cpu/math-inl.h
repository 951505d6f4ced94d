// Activations on vectors, in single precision. NaN comes out as NaN.
//
// The largest errors against double precision, of a walk over every 61st float (test/native/math_test.cc holds them):
//
//   Exp      1e-7 relative where the result is a normal number
//   Sigmoid  1.6e-7 relative where the result is a normal number; 0 below x = -88.4
//   Tanh     2e-7 relative; exactly 1 and -1 from |x| = 9.02 on, and never beyond them
//
// All rest on e^x = 2^n e^r with n = round(x / ln 2); the polynomial for e^r is this project's own minimax fit.

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
inline constexpr float kLn2 = 0.693147181f;
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

// The same of -r.
HWY_INLINE Floats ExpOfNegatedRemainder(Floats r) {
  Floats p = hn::MulAdd(r, Constant(1.3814598512987787e-3f), Constant(-8.368716883564836e-3f));
  p = hn::MulAdd(r, p, Constant(4.166838804802952e-2f));
  p = hn::MulAdd(r, p, Constant(-1.6666520631667842e-1f));
  p = hn::MulAdd(r, p, Constant(4.999999344778311e-1f));
  p = hn::MulAdd(r, p, Constant(-1.0f));
  return hn::MulAdd(r, p, Constant(1.0f));
}

// (e^2s - 1) / 2 for |s| <= ln 2 / 4, of the same polynomial.
HWY_INLINE Floats HalfExpMinusOne(Floats s) {
  Floats p = hn::MulAdd(s, Constant(32 * 1.3814598512987787e-3f), Constant(16 * 8.368716883564836e-3f));
  p = hn::MulAdd(s, p, Constant(8 * 4.166838804802952e-2f));
  p = hn::MulAdd(s, p, Constant(4 * 1.6666520631667842e-1f));
  p = hn::MulAdd(s, p, Constant(2 * 4.999999344778311e-1f));
  return hn::MulAdd(hn::Mul(s, s), p, s);
}

// 2^n as a float for -127 <= n <= 128, from n + 127 in the low bits: 0 for -127, infinity for 128.
HWY_INLINE Floats PowerOfBiased(Ints biased) { return hn::BitCast(kFloats, hn::ShiftLeft<23>(biased)); }

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

// 1 / (1 + e^-x)
HWY_INLINE Floats Sigmoid(Floats x) {
  const math::IntTag ints;
  // At the lower bound e^-x becomes infinite, at the upper one it is lost beside 1.
  const Floats clamped = math::AtMost(math::AtLeast(x, -88.8f), 87.3f);
  // The rounder carries the exponent's bias, so that n + 127 is left in the low bits.
  const Floats rounder = math::Constant(math::kRounder + 127.0f);
  const Floats rounded = hn::NegMulAdd(clamped, math::Constant(math::kLog2E), rounder);
  const Floats n = hn::Sub(rounded, rounder);
  Floats r = hn::MulAdd(n, math::Constant(math::kLn2High), clamped);
  r = hn::MulAdd(n, math::Constant(math::kLn2Low), r);
  const Floats power = math::PowerOfBiased(hn::BitCast(ints, rounded));
  const Floats one = math::Constant(1.0f);
  return hn::Div(one, hn::MulAdd(math::ExpOfNegatedRemainder(r), power, one));
}

// (e^y - 1) / (e^y - 1 + 2) with y = 2 x; e^y - 1 = 2^n (e^r - 1) + (2^n - 1) loses nothing where y is small, and what
// it loses elsewhere the fraction damps.
HWY_INLINE Floats Tanh(Floats x) {
  const math::IntTag ints;
  const Floats clamped = math::AtMost(math::AtLeast(x, -9.02f), 9.02f);
  const Floats rounder = math::Constant(math::kRounder + 127.0f);
  const Floats rounded = hn::MulAdd(clamped, math::Constant(2.0f * math::kLog2E), rounder);
  const Floats n = hn::Sub(rounded, rounder);
  // Half of r, which one part of ln 2 gives well enough for |n| <= 26.
  const Floats s = hn::NegMulAdd(n, math::Constant(0.5f * math::kLn2), clamped);
  const Floats power = math::PowerOfBiased(hn::BitCast(ints, rounded));
  // (e^y - 1) / 2
  const Floats offset = hn::MulSub(power, math::Constant(0.5f), math::Constant(0.5f));
  const Floats half = hn::MulAdd(power, math::HalfExpMinusOne(s), offset);
  return hn::Div(half, hn::Add(half, math::Constant(1.0f)));
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
