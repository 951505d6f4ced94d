// Vectors of floats, as wide as the target has them, and partial loads and stores that stay within the array.

#if defined(SLIM_CPU_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLIM_CPU_SIMD_INL_H_
#undef SLIM_CPU_SIMD_INL_H_
#else
#define SLIM_CPU_SIMD_INL_H_
#endif

#include <cstddef>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;
using Floats = hn::Vec<FloatTag>;
using FloatMask = hn::Mask<FloatTag>;

inline constexpr FloatTag kFloats{};
inline constexpr size_t kLanes = hn::MaxLanes(FloatTag());

// Vector registers, which bound the tiles of the products.
#if HWY_TARGET == HWY_AVX3 || HWY_ARCH_ARM_A64
inline constexpr int kVectorRegisters = 32;
#else
inline constexpr int kVectorRegisters = 16;
#endif

// The first `count` <= kLanes floats of `source`, the other lanes zero. Reads nothing beyond them.
HWY_INLINE Floats LoadFirst(const float* source, size_t count) {
#if HWY_TARGET <= HWY_AVX2
  return hn::MaskedLoad(hn::FirstN(kFloats, count), kFloats, source);
#else
  HWY_ALIGN float lanes[kLanes] = {};
  for (size_t i = 0; i < count; ++i) lanes[i] = source[i];
  return hn::Load(kFloats, lanes);
#endif
}

// Writes the first `count` <= kLanes lanes to `destination` and touches nothing beyond them.
HWY_INLINE void StoreFirst(Floats v, float* destination, size_t count) {
#if HWY_TARGET <= HWY_AVX2
  hn::BlendedStore(v, hn::FirstN(kFloats, count), kFloats, destination);
#else
  HWY_ALIGN float lanes[kLanes];
  hn::Store(v, kFloats, lanes);
  for (size_t i = 0; i < count; ++i) destination[i] = lanes[i];
#endif
}

// Calls run(i, lanes) for vectors that cover [0, count): lanes is kLanes but for the last.
template <class Run>
HWY_INLINE void ForEachVector(size_t count, const Run& run) {
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) run(i, kLanes);
  if (i < count) run(i, count - i);
}

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // SLIM_CPU_SIMD_INL_H_
