#include "cpu/token_groups.h"

#include <algorithm>
#include <bit>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/token_groups.cc"
#include "cpu/dispatch.h"
#include "hwy/foreach_target.h"
// Compiled once a target, so after foreach_target.h:
#include "cpu/simd-inl.h"
#include "cpu/spans-inl.h"

#ifndef SLIM_TOKEN_GROUPS_TABLE
#define SLIM_TOKEN_GROUPS_TABLE
namespace slim {
struct TokenGroupsTable {
  // y = the sum of the named rows of x, in their order, or y += it.
  void (*sum_rows)(const float* x, size_t width, const int32_t* rows, size_t count, float* y);
  void (*add_rows)(const float* x, size_t width, const int32_t* rows, size_t count, float* y);
};
}  // namespace slim
#endif

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {
namespace {

template <bool kAdd>
void SumRows(const float* x, size_t width, const int32_t* rows, size_t count, float* y) {
  ForEachSpan(width, [&](size_t c, auto span) HWY_ATTR {
    Floats sum = hn::Zero(kFloats);
    for (size_t i = 0; i < count; ++i) {
      sum = hn::Add(sum, Load(x + static_cast<size_t>(rows[i]) * width + c, span));
    }
    if constexpr (kAdd) sum = hn::Add(Load(y + c, span), sum);
    Store(sum, y + c, span);
  });
}

}  // namespace

extern const TokenGroupsTable kTokenGroupsTable;
const TokenGroupsTable kTokenGroupsTable = {SumRows<false>, SumRows<true>};

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slim {

SLIM_CHOOSE_TABLE(TokenGroupsTable, kTokenGroupsTable)

namespace {

// The grouped positions are summed in pieces of this length. The sums of a piece's first and last token may be parts of
// sums that neighbouring pieces have the rest of, so they are kept aside and added up afterwards.
constexpr size_t kPiece = 512;

size_t Pieces(size_t positions) { return (positions + kPiece - 1) / kPiece; }

size_t TableSize(size_t positions) { return std::bit_ceil(std::max<size_t>(2 * positions, 16)); }

// Knuth's multiplicative hash spreads neighbouring token ids over the table.
size_t Hash(int32_t token) { return static_cast<size_t>(static_cast<uint32_t>(token) * 2654435769u >> 7); }

// The positions in order of their token's number, rising within a token.
struct SortedPositions {
  const int32_t* sorted;
  size_t count;
  const int32_t* ends;  // [number of tokens]: where each token's positions end
  const int32_t* slots;
  const int32_t* tokens;

  size_t SlotAt(size_t i) const { return static_cast<size_t>(slots[sorted[i]]); }
};

// Sums a piece's tokens: whole ones into their place, the first and the last into the piece's edges.
void SumPiece(size_t piece, const SortedPositions& positions, const float* rows, size_t width, float* edges,
              float* sums) {
  const size_t end = std::min(positions.count, (piece + 1) * kPiece);
  for (size_t begin = piece * kPiece; begin < end;) {
    const size_t slot = positions.SlotAt(begin);
    const size_t stop = std::min(end, static_cast<size_t>(positions.ends[slot]));
    float* edge = edges + 2 * piece * width;
    const int32_t* named = positions.sorted + begin;
    if (begin == piece * kPiece) {
      ChosenTokenGroupsTable().sum_rows(rows, width, named, stop - begin, edge);
    } else if (stop == end) {
      ChosenTokenGroupsTable().sum_rows(rows, width, named, stop - begin, edge + width);
    } else {
      float* sum = sums + static_cast<size_t>(positions.tokens[slot]) * width;
      ChosenTokenGroupsTable().sum_rows(rows, width, named, stop - begin, sum);
    }
    begin = stop;
  }
}

// Adds the edges up in the order of the pieces. Neighbouring edges of one token follow each other.
void JoinEdges(const SortedPositions& positions, size_t width, const float* edges, float* sums) {
  const TokenGroupsTable& table = ChosenTokenGroupsTable();
  size_t open_slot = SIZE_MAX;
  const auto join = [&](size_t slot, size_t edge) {
    const int32_t row = static_cast<int32_t>(edge);
    const auto sum = slot == open_slot ? table.add_rows : table.sum_rows;
    sum(edges, width, &row, 1, sums + static_cast<size_t>(positions.tokens[slot]) * width);
    open_slot = slot;
  };
  for (size_t piece = 0; piece < Pieces(positions.count); ++piece) {
    const size_t first = positions.SlotAt(piece * kPiece);
    const size_t last = positions.SlotAt(std::min(positions.count, (piece + 1) * kPiece) - 1);
    join(first, 2 * piece);
    if (last != first) join(last, 2 * piece + 1);
  }
}

}  // namespace

size_t TokenGroups::Bytes(size_t positions) {
  return Arena::BytesOf<int32_t>(TableSize(positions)) + 2 * Arena::BytesOf<int32_t>(positions);
}

TokenGroups::TokenGroups(size_t positions, Arena& arena)
    : positions_(positions),
      table_mask_(TableSize(positions) - 1),
      table_(arena.Take<int32_t>(table_mask_ + 1)),
      slots_(arena.Take<int32_t>(positions)),
      tokens_(arena.Take<int32_t>(positions)) {
  std::fill_n(table_, table_mask_ + 1, -1);
  std::fill_n(slots_, positions, -1);
}

void TokenGroups::Add(const int32_t* tokens, size_t begin, size_t end) {
  for (size_t position = begin; position < end; ++position) {
    if (slots_[position] >= 0) continue;
    const int32_t token = tokens[position];
    size_t at = Hash(token) & table_mask_;
    while (table_[at] >= 0 && tokens_[table_[at]] != token) at = (at + 1) & table_mask_;
    if (table_[at] < 0) {
      tokens_[count_] = token;
      table_[at] = static_cast<int32_t>(count_++);
    }
    slots_[position] = table_[at];
    ++added_;
  }
}

size_t TokenGroups::SumBytes(size_t positions, size_t width) {
  return 2 * Arena::BytesOf<int32_t>(positions) + Arena::BytesOf<float>(2 * Pieces(positions) * width);
}

void TokenGroups::SumRows(const float* rows, size_t width, float* sums, ThreadPool& pool, Arena& arena) const {
  if (added_ == 0) return;
  int32_t* ends = arena.Take<int32_t>(positions_);
  int32_t* sorted = arena.Take<int32_t>(positions_);
  float* edges = arena.Take<float>(2 * Pieces(positions_) * width);

  // A counting sort: each end starts at the token's beginning and counts up.
  std::fill_n(ends, count_, 0);
  for (size_t p = 0; p < positions_; ++p) {
    if (slots_[p] >= 0) ++ends[slots_[p]];
  }
  int32_t begin = 0;
  for (size_t slot = 0; slot < count_; ++slot) begin += std::exchange(ends[slot], begin);
  for (size_t p = 0; p < positions_; ++p) {
    if (slots_[p] >= 0) sorted[ends[slots_[p]]++] = static_cast<int32_t>(p);
  }

  const SortedPositions positions{sorted, added_, ends, slots_, tokens_};
  pool.ParallelFor(Pieces(added_), [&](size_t piece, int) { SumPiece(piece, positions, rows, width, edges, sums); });
  // A region of one task, so that denormals are rounded here as in the others.
  pool.ParallelFor(1, [&](size_t, int) { JoinEdges(positions, width, edges, sums); });
}

}  // namespace slim
#endif  // HWY_ONCE
