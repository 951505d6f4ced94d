// Loops over arrays whose length need not be a multiple of the lanes, without masks where the vectors are whole.

#if defined(SLIM_CPU_SPANS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLIM_CPU_SPANS_INL_H_
#undef SLIM_CPU_SPANS_INL_H_
#else
#define SLIM_CPU_SPANS_INL_H_
#endif

#include "cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {

// How many lanes of a vector lie within the array: all, or the first few.
struct WholeSpan {};
struct PartSpan {
  size_t lanes;
};

HWY_INLINE Floats Load(const float* from, WholeSpan) { return hn::LoadU(kFloats, from); }
HWY_INLINE Floats Load(const float* from, PartSpan span) { return LoadFirst(from, span.lanes); }

HWY_INLINE void Store(Floats v, float* to, WholeSpan) { hn::StoreU(v, kFloats, to); }
HWY_INLINE void Store(Floats v, float* to, PartSpan span) { StoreFirst(v, to, span.lanes); }

// The lanes that lie within the array, the others zero.
HWY_INLINE Floats Within(Floats v, WholeSpan) { return v; }
HWY_INLINE Floats Within(Floats v, PartSpan span) { return hn::IfThenElseZero(hn::FirstN(kFloats, span.lanes), v); }

// Calls run(i, span) for the vectors that cover [0, count). `run` is a generic lambda
// `[&](size_t i, auto span) HWY_ATTR { ... }`, compiled once for whole vectors and once for the last part.
template <class Run>
HWY_INLINE void ForEachSpan(size_t count, const Run& run) {
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) run(i, WholeSpan());
  if (i < count) run(i, PartSpan{count - i});
}

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // SLIM_CPU_SPANS_INL_H_
