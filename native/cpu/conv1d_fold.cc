#include "cpu/conv1d_fold.h"

#include <algorithm>

#include "cpu/conv1d_winograd.h"
#include "cpu/product.h"
#include "cpu/token_groups.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/conv1d_fold.cc"
#include "cpu/dispatch.h"
#include "hwy/foreach_target.h"
// Compiled once a target, so after foreach_target.h:
#include "cpu/activation-inl.h"
#include "cpu/simd-inl.h"
#include "cpu/spans-inl.h"

#ifndef SLIM_CONV1D_FOLD_TABLE
#define SLIM_CONV1D_FOLD_TABLE
namespace slim {

// Output rows of one sequence, and what their taps read.
struct FoldedRows {
  const float* folded;   // [tokens, taps, filters]
  const int32_t* slots;  // [steps]: which token a step has
  const float* bias;     // [filters] or null
  RowRange rows;
  float* y;  // of the first row
};

struct Conv1dFoldTable {
  void (*sum_taps)(const Conv1dShape& shape, const FoldedRows& rows);
};
}  // namespace slim
#endif

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {
namespace {

// Vectors of an output row that are summed side by side.
inline constexpr size_t kSideBySide = 8;

// One output row: the taps that lie within the sequence.
struct TapList {
  const float* const* taps;  // where each tap's filters begin
  size_t count;
};

template <class Function, size_t kVectors>
HWY_INLINE void SumVectors(const TapList& list, const float* bias, size_t at, float* y) {
  const Function function;
  Floats sums[kVectors];
  HWY_UNROLL(8)
  for (size_t j = 0; j < kVectors; ++j) {
    sums[j] = bias == nullptr ? hn::Zero(kFloats) : hn::LoadU(kFloats, bias + at + j * kLanes);
  }
  for (size_t tap = 0; tap < list.count; ++tap) {
    const float* values = list.taps[tap] + at;
    HWY_UNROLL(8)
    for (size_t j = 0; j < kVectors; ++j) sums[j] = hn::Add(sums[j], hn::LoadU(kFloats, values + j * kLanes));
  }
  HWY_UNROLL(8)
  for (size_t j = 0; j < kVectors; ++j) hn::StoreU(function.Value(sums[j]), kFloats, y + at + j * kLanes);
}

template <class Function>
HWY_INLINE void SumLastLanes(const TapList& list, const float* bias, size_t at, PartSpan span, float* y) {
  const Function function;
  Floats sum = bias == nullptr ? hn::Zero(kFloats) : Load(bias + at, span);
  for (size_t tap = 0; tap < list.count; ++tap) sum = hn::Add(sum, Load(list.taps[tap] + at, span));
  Store(function.Value(sum), y + at, span);
}

struct SumRows {
  const Conv1dShape& shape;
  const FoldedRows& rows;

  template <class Function>
  void operator()() const {
    constexpr int64_t kMostTaps = 32;
    const size_t filters = static_cast<size_t>(shape.filters);
    const float* taps[kMostTaps];
    float* y = rows.y;
    for (int64_t row = rows.rows.begin; row < rows.rows.end; ++row, y += filters) {
      TapList list{taps, 0};
      for (int64_t tap = 0; tap < shape.taps; ++tap) {
        const int64_t step = row * shape.stride - shape.pad_left + tap * shape.dilation;
        if (step < 0 || step >= shape.steps) continue;
        taps[list.count++] = rows.folded + (int64_t{rows.slots[step]} * shape.taps + tap) * shape.filters;
      }
      size_t at = 0;
      for (; at + kSideBySide * kLanes <= filters; at += kSideBySide * kLanes) {
        SumVectors<Function, kSideBySide>(list, rows.bias, at, y);
      }
      for (; at + kLanes <= filters; at += kLanes) SumVectors<Function, 1>(list, rows.bias, at, y);
      if (at < filters) SumLastLanes<Function>(list, rows.bias, at, PartSpan{filters - at}, y);
    }
  }
};

void SumTaps(const Conv1dShape& shape, const FoldedRows& rows) {
  WithActivation(shape.activation, SumRows{shape, rows});
}

}  // namespace

extern const Conv1dFoldTable kConv1dFoldTable;
const Conv1dFoldTable kConv1dFoldTable = {SumTaps};

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slim {

SLIM_CHOOSE_TABLE(Conv1dFoldTable, kConv1dFoldTable)

namespace {

// The addresses of a row's taps are kept on the stack.
constexpr int64_t kMostTaps = 32;

// Distinct tokens there is room for, as a part of the batch's positions. Text repeats its words more often.
constexpr size_t kPositionsPerToken = 6;

// Tokens whose products are one task.
constexpr size_t kTokensPerTask = 192;

size_t MostTokens(const Conv1dShape& shape, int64_t batch) {
  return Size(batch * shape.steps) / kPositionsPerToken + 1;
}

// Folding takes as many multiply-adds for a token as the plain way takes for an output row, or for more rows than one
// where that has Winograd's savings. Summing up the taps is cheap beside that, but not free.
bool Pays(const Conv1dShape& shape, size_t tokens, size_t rows) {
  return HasWinograd(shape) ? tokens * 5 < rows * 2 : tokens * 5 < rows * 4;
}

size_t CountRows(const RowBlock* blocks, size_t count) {
  int64_t rows = 0;
  for (size_t i = 0; i < count; ++i) rows += blocks[i].end - blocks[i].begin;
  return Size(rows);
}

void GroupTokens(const Conv1dShape& shape, const SequenceInput& input, const RowBlock* blocks, size_t count,
                 TokenGroups& groups) {
  for (size_t i = 0; i < count; ++i) {
    const int64_t first = FirstInputRow(shape, blocks[i].begin);
    const int64_t end = first + SpanRows(shape, blocks[i].end - blocks[i].begin);
    const int64_t sequence = blocks[i].sample * shape.steps;
    const int64_t from = std::max<int64_t>(first, 0), to = std::min(end, shape.steps);
    if (from < to) groups.Add(input.tokens, Size(sequence + from), Size(sequence + to));
  }
}

// folded[token, tap, :] = table[token, :] * kernel[tap]
void FoldKernel(ThreadPool& pool, const Conv1dShape& shape, const SequenceInput& input, const float* kernel,
                const TokenGroups& groups, float* storage, float* folded) {
  const size_t channels = Size(shape.channels), filters = Size(shape.filters), taps = Size(shape.taps);
  const size_t tap_floats = PackedSize(channels, filters);
  PackedMatrix packed;
  for (size_t tap = 0; tap < taps; ++tap) {
    packed = Pack(kernel + tap * channels * filters, filters, channels, filters, storage + tap * tap_floats);
  }
  pool.ParallelFor((groups.Count() + kTokensPerTask - 1) / kTokensPerTask * taps, [&](size_t task, int) {
    const size_t tap = task % taps;
    const size_t begin = task / taps * kTokensPerTask;
    Product product;
    product.a.data = input.table;
    product.a.stride = channels;
    product.a.index = groups.Tokens();
    product.rows = groups.Count();
    product.b = packed;
    product.b.data = storage + tap * tap_floats;
    product.c = folded + tap * filters;
    product.c_stride = taps * filters;
    MultiplyPart(product, begin, std::min(begin + kTokensPerTask, groups.Count()), 0, packed.Panels());
  });
}

}  // namespace

size_t ConvolveFoldedBytes(const Conv1dShape& shape, int64_t batch) {
  if (shape.taps > kMostTaps) return 0;
  const size_t taps = Size(shape.taps), filters = Size(shape.filters);
  return TokenGroups::Bytes(Size(batch * shape.steps)) +
         Arena::BytesOf<float>(taps * PackedSize(Size(shape.channels), filters)) +
         Arena::BytesOf<float>(MostTokens(shape, batch) * taps * filters);
}

bool ConvolveFolded(ThreadPool& pool, const Conv1dShape& shape, int64_t batch, const SequenceInput& input,
                    const Conv1dWeights& weights, const RowBlock* blocks, size_t count, float* y, Arena& arena) {
  if (shape.taps > kMostTaps) return false;
  TokenGroups groups(Size(batch * shape.steps), arena);
  GroupTokens(shape, input, blocks, count, groups);
  if (groups.Count() > MostTokens(shape, batch) || !Pays(shape, groups.Count(), CountRows(blocks, count))) return false;

  const size_t taps = Size(shape.taps), filters = Size(shape.filters);
  float* storage = arena.Take<float>(taps * PackedSize(Size(shape.channels), filters));
  float* folded = arena.Take<float>(groups.Count() * taps * filters);
  FoldKernel(pool, shape, input, weights.kernel, groups, storage, folded);
  pool.ParallelFor(count, [&](size_t task, int) {
    const RowBlock& block = blocks[task];
    FoldedRows rows;
    rows.folded = folded;
    rows.slots = groups.Slots() + block.sample * shape.steps;
    rows.bias = weights.bias;
    rows.rows = {block.begin, block.end};
    rows.y = y + (block.sample * shape.out_steps + block.begin) * shape.filters;
    ChosenConv1dFoldTable().sum_taps(shape, rows);
  });
  return true;
}

}  // namespace slim
#endif  // HWY_ONCE
