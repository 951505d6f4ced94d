#include "cpu/row_operations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/row_operations.cc"
#include "cpu/dispatch.h"
#include "hwy/foreach_target.h"
// Compiled once a target, so after foreach_target.h:
#include "cpu/simd-inl.h"

#ifndef SLIM_ROWS_TABLE
#define SLIM_ROWS_TABLE
namespace slim {
struct RowsTable {
  void (*multiply)(size_t count, const float* a, const float* b, float* product);
  void (*multiply_add)(size_t count, const float* a, const float* b, float* sum);
  void (*add)(size_t count, const float* a, float* sum);
  void (*add_rows)(const float* const* rows, size_t row_count, size_t count, float* sum);
};
}  // namespace slim
#endif

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {
namespace {

void Multiply(size_t count, const float* a, const float* b, float* product) {
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    hn::StoreU(hn::Mul(hn::LoadU(kFloats, a + i), hn::LoadU(kFloats, b + i)), kFloats, product + i);
  }
  if (i < count) StoreFirst(hn::Mul(LoadFirst(a + i, count - i), LoadFirst(b + i, count - i)), product + i, count - i);
}

void MultiplyAdd(size_t count, const float* a, const float* b, float* sum) {
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const Floats s = hn::LoadU(kFloats, sum + i);
    hn::StoreU(hn::MulAdd(hn::LoadU(kFloats, a + i), hn::LoadU(kFloats, b + i), s), kFloats, sum + i);
  }
  if (i < count) {
    const size_t left = count - i;
    StoreFirst(hn::MulAdd(LoadFirst(a + i, left), LoadFirst(b + i, left), LoadFirst(sum + i, left)), sum + i, left);
  }
}

void Add(size_t count, const float* a, float* sum) {
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    hn::StoreU(hn::Add(hn::LoadU(kFloats, sum + i), hn::LoadU(kFloats, a + i)), kFloats, sum + i);
  }
  if (i < count) {
    const size_t left = count - i;
    StoreFirst(hn::Add(LoadFirst(sum + i, left), LoadFirst(a + i, left)), sum + i, left);
  }
}

// kVectors vectors of the sum stay in registers.
template <int kVectors>
HWY_INLINE void AddStrip(const float* const* rows, size_t row_count, size_t at, float* sum) {
  Floats sums[kVectors];
  for (int j = 0; j < kVectors; ++j) sums[j] = hn::LoadU(kFloats, sum + at + j * kLanes);
  for (size_t k = 0; k < row_count; ++k) {
    HWY_UNROLL(8)
    for (int j = 0; j < kVectors; ++j) sums[j] = hn::Add(sums[j], hn::LoadU(kFloats, rows[k] + at + j * kLanes));
  }
  for (int j = 0; j < kVectors; ++j) hn::StoreU(sums[j], kFloats, sum + at + j * kLanes);
}

void AddRows(const float* const* rows, size_t row_count, size_t count, float* sum) {
  size_t at = 0;
  for (; at + 8 * kLanes <= count; at += 8 * kLanes) AddStrip<8>(rows, row_count, at, sum);
  for (; at + kLanes <= count; at += kLanes) AddStrip<1>(rows, row_count, at, sum);
  if (at == count) return;
  Floats last = LoadFirst(sum + at, count - at);
  for (size_t k = 0; k < row_count; ++k) last = hn::Add(last, LoadFirst(rows[k] + at, count - at));
  StoreFirst(last, sum + at, count - at);
}

}  // namespace

extern const RowsTable kRowsTable;
const RowsTable kRowsTable = {Multiply, MultiplyAdd, Add, AddRows};

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slim {

SLIM_CHOOSE_TABLE(RowsTable, kRowsTable)

void MultiplyRow(size_t count, const float* a, const float* b, float* product) {
  ChosenRowsTable().multiply(count, a, b, product);
}

void MultiplyAddRow(size_t count, const float* a, const float* b, float* sum) {
  ChosenRowsTable().multiply_add(count, a, b, sum);
}

void AddRow(size_t count, const float* a, float* sum) { ChosenRowsTable().add(count, a, sum); }

void AddRows(const float* const* rows, size_t row_count, size_t count, float* sum) {
  ChosenRowsTable().add_rows(rows, row_count, count, sum);
}

}  // namespace slim
#endif
