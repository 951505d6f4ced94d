#include "cpu/fill_rows.h"

#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/fill_rows.cc"
#include "cpu/dispatch.h"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
// Compiled once a target, so after foreach_target.h:
#include "cpu/simd-inl.h"
#include "cpu/spans-inl.h"

#ifndef SLIM_FILL_ROWS_TABLE
#define SLIM_FILL_ROWS_TABLE
namespace slim {
struct FillRowsTable {
  void (*fill)(const float* row, size_t width, size_t count, float* rows);
};
}  // namespace slim
#endif

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {
namespace {

void Fill(const float* row, size_t width, size_t count, float* rows) {
  const bool whole = width % kLanes == 0 && reinterpret_cast<uintptr_t>(rows) % sizeof(Floats) == 0;
  for (size_t i = 0; i < count; ++i, rows += width) {
    if (whole) {
      for (size_t c = 0; c < width; c += kLanes) hn::Stream(hn::LoadU(kFloats, row + c), kFloats, rows + c);
    } else {
      ForEachSpan(width, [&](size_t c, auto span) HWY_ATTR { Store(Load(row + c, span), rows + c, span); });
    }
  }
  hwy::FlushStream();
}

}  // namespace

extern const FillRowsTable kFillRowsTable;
const FillRowsTable kFillRowsTable = {Fill};

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slim {

SLIM_CHOOSE_TABLE(FillRowsTable, kFillRowsTable)

void FillRows(const float* row, size_t width, size_t count, float* rows) {
  ChosenFillRowsTable().fill(row, width, count, rows);
}

}  // namespace slim
#endif  // HWY_ONCE
