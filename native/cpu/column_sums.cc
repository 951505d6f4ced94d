#include "cpu/column_sums.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/column_sums.cc"
#include "cpu/dispatch.h"
#include "hwy/foreach_target.h"
// Compiled once a target, so after foreach_target.h:
#include "cpu/simd-inl.h"
#include "cpu/spans-inl.h"

#ifndef SLIM_COLUMN_SUMS_TABLE
#define SLIM_COLUMN_SUMS_TABLE
namespace slim {
struct ColumnSumsTable {
  void (*add)(const float* x, size_t rows, size_t columns, size_t stride, float* sums);
};
}  // namespace slim
#endif

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {
namespace {

// Four sums a column, so that long columns round less and additions do not wait for each other.
void Add(const float* x, size_t rows, size_t columns, size_t stride, float* sums) {
  ForEachSpan(columns, [&](size_t c, auto span) HWY_ATTR {
    Floats s0 = hn::Zero(kFloats), s1 = s0, s2 = s0, s3 = s0;
    const float* at = x + c;
    size_t row = 0;
    for (; row + 4 <= rows; row += 4, at += 4 * stride) {
      s0 = hn::Add(s0, Load(at, span));
      s1 = hn::Add(s1, Load(at + stride, span));
      s2 = hn::Add(s2, Load(at + 2 * stride, span));
      s3 = hn::Add(s3, Load(at + 3 * stride, span));
    }
    for (; row < rows; ++row, at += stride) s0 = hn::Add(s0, Load(at, span));
    const Floats sum = hn::Add(hn::Add(s0, s1), hn::Add(s2, s3));
    Store(hn::Add(Load(sums + c, span), sum), sums + c, span);
  });
}

}  // namespace

extern const ColumnSumsTable kColumnSumsTable;
const ColumnSumsTable kColumnSumsTable = {Add};

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slim {

SLIM_CHOOSE_TABLE(ColumnSumsTable, kColumnSumsTable)

namespace {

// Whole cache lines, so that tasks do not write to one line.
constexpr size_t kColumnsPerTask = 32;

}  // namespace

void AddColumnSums(const float* x, size_t rows, size_t columns, size_t stride, float* sums) {
  ChosenColumnSumsTable().add(x, rows, columns, stride, sums);
}

void ColumnSums(ThreadPool& pool, const float* x, size_t rows, size_t columns, float* sums) {
  pool.ParallelFor((columns + kColumnsPerTask - 1) / kColumnsPerTask, [&](size_t task, int) {
    const size_t first = task * kColumnsPerTask;
    const size_t count = std::min(kColumnsPerTask, columns - first);
    std::fill_n(sums + first, count, 0.0f);
    AddColumnSums(x + first, rows, count, columns, sums + first);
  });
}

}  // namespace slim
#endif  // HWY_ONCE
