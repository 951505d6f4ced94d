#include "cpu/merge.h"

#include <stdexcept>

#include "cpu/parallel_range.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/merge.cc"
#include "cpu/dispatch.h"
#include "hwy/foreach_target.h"
// Compiled once a target, so after foreach_target.h:
#include "cpu/simd-inl.h"
#include "cpu/spans-inl.h"

#ifndef SLIM_MERGE_TABLE
#define SLIM_MERGE_TABLE
namespace slim {
struct MergeTable {
  void (*add)(size_t count, float factor, const float* a, const float* b, float* y);  // y = factor * (a + b)
  void (*multiply)(size_t count, const float* a, const float* b, float* y);
  void (*multiply_backward)(size_t count, const float* a, const float* b, const float* dy, float* da, float* db);
  void (*spread)(size_t count, float factor, const float* dy, float* da, float* db);  // da = db = factor * dy
};
}  // namespace slim
#endif

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {
namespace {

void Add(size_t count, float factor, const float* a, const float* b, float* y) {
  const Floats scale = hn::Set(kFloats, factor);
  ForEachSpan(count, [&](size_t i, auto span) HWY_ATTR {
    const Floats sum = hn::Add(Load(a + i, span), Load(b + i, span));
    Store(hn::Mul(sum, scale), y + i, span);
  });
}

void Multiply(size_t count, const float* a, const float* b, float* y) {
  ForEachSpan(count,
              [&](size_t i, auto span) HWY_ATTR { Store(hn::Mul(Load(a + i, span), Load(b + i, span)), y + i, span); });
}

void MultiplyBackward(size_t count, const float* a, const float* b, const float* dy, float* da, float* db) {
  ForEachSpan(count, [&](size_t i, auto span) HWY_ATTR {
    const Floats gradient = Load(dy + i, span);
    const Floats left = Load(a + i, span);
    const Floats right = Load(b + i, span);
    if (da != nullptr) Store(hn::Mul(gradient, right), da + i, span);
    if (db != nullptr) Store(hn::Mul(gradient, left), db + i, span);
  });
}

void Spread(size_t count, float factor, const float* dy, float* da, float* db) {
  const Floats scale = hn::Set(kFloats, factor);
  ForEachSpan(count, [&](size_t i, auto span) HWY_ATTR {
    const Floats gradient = hn::Mul(Load(dy + i, span), scale);
    if (da != nullptr) Store(gradient, da + i, span);
    if (db != nullptr) Store(gradient, db + i, span);
  });
}

}  // namespace

extern const MergeTable kMergeTable;
const MergeTable kMergeTable = {Add, Multiply, MultiplyBackward, Spread};

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slim {

SLIM_CHOOSE_TABLE(MergeTable, kMergeTable)

namespace {

float FactorOf(Merge merge) { return merge == Merge::kAve ? 0.5f : 1.0f; }

void RefuseConcat(Merge merge) {
  if (merge == Merge::kConcat) throw std::logic_error("Concatenation is done by strides, not by a merge operation");
}

float* Offset(float* array, size_t by) { return array == nullptr ? nullptr : array + by; }

}  // namespace

void MergeForward(ThreadPool& pool, Merge merge, int64_t count, const float* a, const float* b, float* y) {
  RefuseConcat(merge);
  const MergeTable& table = ChosenMergeTable();
  ParallelRange(pool, static_cast<size_t>(count), kElementsPerTask, [&](size_t begin, size_t end) {
    if (merge == Merge::kMul) {
      table.multiply(end - begin, a + begin, b + begin, y + begin);
    } else {
      table.add(end - begin, FactorOf(merge), a + begin, b + begin, y + begin);
    }
  });
}

void MergeBackward(ThreadPool& pool, Merge merge, int64_t count, const float* a, const float* b, const float* dy,
                   float* da, float* db) {
  RefuseConcat(merge);
  const MergeTable& table = ChosenMergeTable();
  ParallelRange(pool, static_cast<size_t>(count), kElementsPerTask, [&](size_t begin, size_t end) {
    if (merge == Merge::kMul) {
      table.multiply_backward(end - begin, a + begin, b + begin, dy + begin, Offset(da, begin), Offset(db, begin));
    } else {
      table.spread(end - begin, FactorOf(merge), dy + begin, Offset(da, begin), Offset(db, begin));
    }
  });
}

}  // namespace slim
#endif  // HWY_ONCE
