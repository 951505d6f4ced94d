#include "cpu/conv1d_sparse_kernels.h"

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/conv1d_sparse_kernels.cc"
#include "cpu/dispatch.h"
#include "hwy/foreach_target.h"
// Compiled once a target, so after foreach_target.h:
#include "cpu/activation-inl.h"
#include "cpu/simd-inl.h"
#include "cpu/spans-inl.h"

#ifndef SLIM_CONV1D_SPARSE_TABLE
#define SLIM_CONV1D_SPARSE_TABLE
namespace slim {

// The functions of the header.
struct Conv1dSparseTable {
  void (*list_columns)(const SparseRows& rows, int32_t row_step, ColumnEntry* entries, int32_t* counts, float* sums,
                       RowEntries spare);
  void (*add_windows)(const ColumnEntry* entries, size_t count, const float* x, size_t width, float* sums);
  void (*list_row)(const SparseRows& row, RowEntries* entries);
  void (*add_rows)(const RowEntries& entries, const float* rows, size_t stride, size_t width, float* sums);
  size_t (*count_nonzero)(const float* x, size_t count);
};
}  // namespace slim
#endif

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {
namespace {

using IndexTag = hn::RebindToSigned<FloatTag>;

// Vectors of sums that are held in registers.
inline constexpr size_t kMostVectors = kVectorRegisters == 32 ? 20 : 10;

// Appends the lanes that are not zero. Writes whole vectors.
HWY_INLINE void AppendNonzero(Floats v, int32_t column, RowEntries& entries) {
  const IndexTag d;
  const FloatMask nonzero = hn::Not(hn::Eq(v, hn::Zero(kFloats)));
  hn::StoreU(hn::Compress(v, nonzero), kFloats, entries.values + entries.count);
  hn::StoreU(hn::Compress(hn::Iota(d, column), hn::RebindMask(d, nonzero)), d, entries.columns + entries.count);
  entries.count += hn::CountTrue(kFloats, nonzero);
}

template <class Function, class Span>
HWY_INLINE Floats GradientOf(const SparseRows& rows, size_t at, Span span) {
  const Function function;
  return hn::Mul(Load(rows.dy + at, span), function.Derivative(Load(rows.y + at, span)));
}

struct ListColumnsBy {
  const SparseRows& rows;
  int32_t row_step;
  ColumnEntry* entries;
  int32_t* counts;
  float* sums;
  RowEntries spare;

  template <class Function>
  void operator()() const {
    std::memset(counts, 0, rows.columns * sizeof(int32_t));
    for (size_t row = 0; row < rows.rows; ++row) {
      RowEntries found = spare;
      found.count = 0;
      ForEachSpan(rows.columns, [&](size_t c, auto span) HWY_ATTR {
        const Floats v = GradientOf<Function>(rows, row * rows.stride + c, span);
        Store(hn::Add(Load(sums + c, span), v), sums + c, span);
        AppendNonzero(v, static_cast<int32_t>(c), found);
      });
      const int32_t offset = static_cast<int32_t>(row) * row_step;
      for (size_t i = 0; i < found.count; ++i) {
        const size_t column = static_cast<size_t>(found.columns[i]);
        entries[column * rows.rows + static_cast<size_t>(counts[column]++)] = {offset, found.values[i]};
      }
    }
  }
};

void ListAllColumns(const SparseRows& rows, int32_t row_step, ColumnEntry* entries, int32_t* counts, float* sums,
                    RowEntries spare) {
  WithActivation(rows.activation, ListColumnsBy{rows, row_step, entries, counts, sums, spare});
}

struct ListRowBy {
  const SparseRows& row;
  RowEntries* entries;

  template <class Function>
  void operator()() const {
    entries->count = 0;
    ForEachSpan(row.columns, [&](size_t c, auto span) HWY_ATTR {
      AppendNonzero(GradientOf<Function>(row, c, span), static_cast<int32_t>(c), *entries);
    });
  }
};

void ListOneRow(const SparseRows& row, RowEntries* entries) { WithActivation(row.activation, ListRowBy{row, entries}); }

template <size_t kVectors>
void AddWindows(const ColumnEntry* entries, size_t count, const float* x, float* sums) {
  Floats held[kVectors];
  HWY_UNROLL(20)
  for (size_t j = 0; j < kVectors; ++j) held[j] = hn::LoadU(kFloats, sums + j * kLanes);
  for (size_t i = 0; i < count; ++i) {
    const Floats value = hn::Set(kFloats, entries[i].value);
    const float* window = x + entries[i].offset;
    HWY_UNROLL(20)
    for (size_t j = 0; j < kVectors; ++j) held[j] = hn::MulAdd(value, hn::LoadU(kFloats, window + j * kLanes), held[j]);
  }
  HWY_UNROLL(20)
  for (size_t j = 0; j < kVectors; ++j) hn::StoreU(held[j], kFloats, sums + j * kLanes);
}

template <size_t kVectors>
void AddRows(const RowEntries& entries, const float* rows, size_t stride, float* sums) {
  Floats held[kVectors];
  HWY_UNROLL(20)
  for (size_t j = 0; j < kVectors; ++j) held[j] = hn::LoadU(kFloats, sums + j * kLanes);
  for (size_t i = 0; i < entries.count; ++i) {
    const Floats value = hn::Set(kFloats, entries.values[i]);
    const float* row = rows + static_cast<size_t>(entries.columns[i]) * stride;
    HWY_UNROLL(20)
    for (size_t j = 0; j < kVectors; ++j) held[j] = hn::MulAdd(value, hn::LoadU(kFloats, row + j * kLanes), held[j]);
  }
  HWY_UNROLL(20)
  for (size_t j = 0; j < kVectors; ++j) hn::StoreU(held[j], kFloats, sums + j * kLanes);
}

// Calls run.template operator()<N>() with N = vectors, 1 <= vectors <= kMostVectors.
template <size_t kCandidate, class Run>
HWY_INLINE void WithVectors(size_t vectors, const Run& run) {
  if constexpr (kCandidate > 1) {
    if (vectors < kCandidate) return WithVectors<kCandidate - 1>(vectors, run);
  }
  run.template operator()<kCandidate>();
}

struct WindowsChunk {
  const ColumnEntry* entries;
  size_t count;
  const float* x;
  float* sums;
  template <size_t kVectors>
  void operator()() const {
    AddWindows<kVectors>(entries, count, x, sums);
  }
};

struct RowsChunk {
  const RowEntries& entries;
  const float* rows;
  size_t stride;
  float* sums;
  template <size_t kVectors>
  void operator()() const {
    AddRows<kVectors>(entries, rows, stride, sums);
  }
};

void AddAllWindows(const ColumnEntry* entries, size_t count, const float* x, size_t width, float* sums) {
  const size_t vectors = width / kLanes;
  const size_t chunks = (vectors + kMostVectors - 1) / kMostVectors;
  for (size_t chunk = 0, at = 0; chunk < chunks; ++chunk) {
    const size_t some = (vectors - at + chunks - chunk - 1) / (chunks - chunk);
    WithVectors<kMostVectors>(some, WindowsChunk{entries, count, x + at * kLanes, sums + at * kLanes});
    at += some;
  }
}

void AddAllRows(const RowEntries& entries, const float* rows, size_t stride, size_t width, float* sums) {
  const size_t vectors = width / kLanes;
  const size_t chunks = (vectors + kMostVectors - 1) / kMostVectors;
  for (size_t chunk = 0, at = 0; chunk < chunks; ++chunk) {
    const size_t some = (vectors - at + chunks - chunk - 1) / (chunks - chunk);
    WithVectors<kMostVectors>(some, RowsChunk{entries, rows + at * kLanes, stride, sums + at * kLanes});
    at += some;
  }
  const size_t at = vectors * kLanes;
  if (at == width) return;
  Floats sum = LoadFirst(sums + at, width - at);
  for (size_t i = 0; i < entries.count; ++i) {
    const float* row = rows + static_cast<size_t>(entries.columns[i]) * stride + at;
    sum = hn::MulAdd(hn::Set(kFloats, entries.values[i]), LoadFirst(row, width - at), sum);
  }
  StoreFirst(sum, sums + at, width - at);
}

size_t CountNonzero(const float* x, size_t count) {
  size_t zeros = 0;
  size_t padded = 0;
  ForEachSpan(count, [&](size_t i, auto span) HWY_ATTR {
    zeros += hn::CountTrue(kFloats, hn::Eq(Load(x + i, span), hn::Zero(kFloats)));
    padded += kLanes;
  });
  return padded - zeros;
}

}  // namespace

extern const Conv1dSparseTable kConv1dSparseTable;
const Conv1dSparseTable kConv1dSparseTable = {ListAllColumns, AddAllWindows, ListOneRow, AddAllRows, CountNonzero};

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slim {

SLIM_CHOOSE_TABLE(Conv1dSparseTable, kConv1dSparseTable)

void ListColumns(const SparseRows& rows, int32_t row_step, ColumnEntry* entries, int32_t* counts, float* sums,
                 RowEntries spare) {
  ChosenConv1dSparseTable().list_columns(rows, row_step, entries, counts, sums, spare);
}

void AddWindows(const ColumnEntry* entries, size_t count, const float* x, size_t width, float* sums) {
  ChosenConv1dSparseTable().add_windows(entries, count, x, width, sums);
}

void ListRow(const SparseRows& row, RowEntries* entries) { ChosenConv1dSparseTable().list_row(row, entries); }

void AddRows(const RowEntries& entries, const float* rows, size_t stride, size_t width, float* sums) {
  ChosenConv1dSparseTable().add_rows(entries, rows, stride, width, sums);
}

size_t CountNonzero(const float* x, size_t count) { return ChosenConv1dSparseTable().count_nonzero(x, count); }

}  // namespace slim
#endif  // HWY_ONCE
