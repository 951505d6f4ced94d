// Neighbouring units of one sequence on vectors, and the activations of the cell on them.

#if defined(SLIM_CPU_RECURRENCE_UNITS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLIM_CPU_RECURRENCE_UNITS_INL_H_
#undef SLIM_CPU_RECURRENCE_UNITS_INL_H_
#else
#define SLIM_CPU_RECURRENCE_UNITS_INL_H_
#endif

#include <cstddef>

#include "backend.h"
#include "cpu/math-inl.h"
#include "cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {

// kVectors vectors of units, side by side: work on them is independent, which hides the latency of the activations, and
// the choices by the cell's terms are made once for all of them. Halves of halves, not an array: compilers keep arrays
// in memory across branches.
template <int kVectors>
struct Units {
  Units<kVectors / 2> low, high;
};
template <>
struct Units<1> {
  Floats v;
};

// Each vector of the result is function(the vectors of the operands at its place).
template <class Function, class... Operands>
HWY_INLINE Units<1> MapUnits(Function function, Units<1> x, Operands... others) {
  return {function(x.v, others.v...)};
}
template <int kVectors, class Function, class... Operands>
HWY_INLINE Units<kVectors> MapUnits(Function function, Units<kVectors> x, Operands... others) {
  return {MapUnits(function, x.low, others.low...), MapUnits(function, x.high, others.high...)};
}

template <int kVectors>
HWY_INLINE Units<kVectors> LoadUnits(const float* from) {
  if constexpr (kVectors == 1) {
    return {hn::Load(kFloats, from)};
  } else {
    return {LoadUnits<kVectors / 2>(from), LoadUnits<kVectors / 2>(from + kVectors / 2 * kLanes)};
  }
}

template <int kVectors>
HWY_INLINE void StoreUnits(Units<kVectors> units, float* to) {
  if constexpr (kVectors == 1) {
    hn::Store(units.v, kFloats, to);
  } else {
    StoreUnits(units.low, to);
    StoreUnits(units.high, to + kVectors / 2 * kLanes);
  }
}

template <int kVectors>
HWY_INLINE Units<kVectors> SetUnits(Floats v) {
  if constexpr (kVectors == 1) {
    return {v};
  } else {
    return {SetUnits<kVectors / 2>(v), SetUnits<kVectors / 2>(v)};
  }
}

template <int kVectors>
HWY_INLINE Units<kVectors> ZeroUnits() {
  return SetUnits<kVectors>(hn::Zero(kFloats));
}

// The first `count` units from or to an array that has neither padding nor alignment.
template <int kVectors>
HWY_INLINE Units<kVectors> LoadFirstUnits(const float* from, size_t count) {
  if constexpr (kVectors == 1) {
    return {count >= kLanes ? hn::LoadU(kFloats, from) : LoadFirst(from, count)};
  } else {
    constexpr size_t kHalf = kVectors / 2 * kLanes;
    if (count <= kHalf) return {LoadFirstUnits<kVectors / 2>(from, count), ZeroUnits<kVectors / 2>()};
    return {LoadFirstUnits<kVectors / 2>(from, kHalf), LoadFirstUnits<kVectors / 2>(from + kHalf, count - kHalf)};
  }
}

template <int kVectors>
HWY_INLINE void StoreFirstUnits(Units<kVectors> units, float* to, size_t count) {
  if constexpr (kVectors == 1) {
    if (count >= kLanes) return hn::StoreU(units.v, kFloats, to);
    StoreFirst(units.v, to, count);
  } else {
    constexpr size_t kHalf = kVectors / 2 * kLanes;
    StoreFirstUnits(units.low, to, HWY_MIN(count, kHalf));
    if (count > kHalf) StoreFirstUnits(units.high, to + kHalf, count - kHalf);
  }
}

template <int kVectors>
HWY_INLINE Units<kVectors> operator+(Units<kVectors> a, Units<kVectors> b) {
  return MapUnits([](Floats x, Floats y) HWY_ATTR { return hn::Add(x, y); }, a, b);
}

template <int kVectors>
HWY_INLINE Units<kVectors> operator*(Units<kVectors> a, Units<kVectors> b) {
  return MapUnits([](Floats x, Floats y) HWY_ATTR { return hn::Mul(x, y); }, a, b);
}

template <int kVectors>
HWY_INLINE Units<kVectors> operator/(Units<kVectors> a, Units<kVectors> b) {
  return MapUnits([](Floats x, Floats y) HWY_ATTR { return hn::Div(x, y); }, a, b);
}

// a * b + c
template <int kVectors>
HWY_INLINE Units<kVectors> MultiplyAddUnits(Units<kVectors> a, Units<kVectors> b, Units<kVectors> c) {
  return MapUnits([](Floats x, Floats y, Floats z) HWY_ATTR { return hn::MulAdd(x, y, z); }, a, b, c);
}

// a - b * c
template <int kVectors>
HWY_INLINE Units<kVectors> SubtractProductUnits(Units<kVectors> a, Units<kVectors> b, Units<kVectors> c) {
  return MapUnits([](Floats x, Floats y, Floats z) HWY_ATTR { return hn::NegMulAdd(y, z, x); }, a, b, c);
}

// Activations of one element; those of a whole row are not among them.
template <int kVectors>
HWY_INLINE Units<kVectors> ActivateUnits(Activation activation, Units<kVectors> x) {
  switch (activation) {
    case Activation::kTanh:
      return MapUnits([](Floats v) HWY_ATTR { return Tanh(v); }, x);
    case Activation::kSigmoid:
      return MapUnits([](Floats v) HWY_ATTR { return Sigmoid(v); }, x);
    case Activation::kHardSigmoid:
      return MapUnits([](Floats v) HWY_ATTR { return HardSigmoid(v); }, x);
    case Activation::kRelu:
      return MapUnits([](Floats v) HWY_ATTR { return Relu(v); }, x);
    case Activation::kLinear:
    case Activation::kSoftmax:
      break;
  }
  return x;
}

// y (1 - y) and 1 - y^2, the derivatives of sigmoid and tanh by their values: one multiply-add, whose only rounding is
// that of the result. Without one they are products, since the difference would lose most of its digits where y is
// close to 1.
HWY_INLINE Floats SigmoidSlope(Floats y) {
#if HWY_NATIVE_FMA
  return hn::NegMulAdd(y, y, y);
#else
  return hn::Mul(y, hn::Sub(hn::Set(kFloats, 1.0f), y));
#endif
}
HWY_INLINE Floats TanhSlope(Floats y) {
  const Floats one = hn::Set(kFloats, 1.0f);
#if HWY_NATIVE_FMA
  return hn::NegMulAdd(y, y, one);
#else
  return hn::Mul(hn::Sub(one, y), hn::Add(one, y));
#endif
}

// The gates' activation: sigmoid or hardSigmoid. Apart from ActivateUnits, since the code of all activations for every
// gate would be several times as long.
template <int kVectors>
HWY_INLINE Units<kVectors> ActivateGate(Activation activation, Units<kVectors> x) {
  if (activation == Activation::kHardSigmoid) {
    return MapUnits([](Floats v) HWY_ATTR { return HardSigmoid(v); }, x);
  }
  return MapUnits([](Floats v) HWY_ATTR { return Sigmoid(v); }, x);
}

// dy times the derivative of the gates' activation where its value is y.
template <int kVectors>
HWY_INLINE Units<kVectors> GateSlope(Activation activation, Units<kVectors> y, Units<kVectors> dy) {
  if (activation == Activation::kHardSigmoid) {
    return MapUnits(
        [](Floats v, Floats d) HWY_ATTR {
          const FloatMask sloping = hn::And(hn::Gt(v, hn::Zero(kFloats)), hn::Lt(v, hn::Set(kFloats, 1.0f)));
          return hn::IfThenElseZero(sloping, hn::Mul(d, hn::Set(kFloats, 0.2f)));
        },
        y, dy);
  }
  return MapUnits([](Floats v, Floats d) HWY_ATTR { return hn::Mul(d, SigmoidSlope(v)); }, y, dy);
}

// dy times the activation's derivative where its value is y.
template <int kVectors>
HWY_INLINE Units<kVectors> SlopeUnits(Activation activation, Units<kVectors> y, Units<kVectors> dy) {
  switch (activation) {
    case Activation::kTanh:
      return MapUnits([](Floats v, Floats d) HWY_ATTR { return hn::Mul(d, TanhSlope(v)); }, y, dy);
    case Activation::kSigmoid:
    case Activation::kHardSigmoid:
      return GateSlope(activation, y, dy);
    case Activation::kRelu:
      return MapUnits([](Floats v, Floats d) HWY_ATTR { return hn::IfThenElseZero(hn::Gt(v, hn::Zero(kFloats)), d); },
                      y, dy);
    case Activation::kLinear:
    case Activation::kSoftmax:
      break;
  }
  return dy;
}

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // SLIM_CPU_RECURRENCE_UNITS_INL_H_
