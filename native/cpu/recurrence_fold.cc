#include "cpu/recurrence_fold.h"

#include <algorithm>
#include <utility>

#include "cpu/row_operations.h"

namespace slim {
namespace {

constexpr int kDigitBits = 11;
constexpr uint32_t kDigits = 1u << kDigitBits;

// Parts for each thread, of about the same number of positions, so that a thread that is held up costs no more than one
// of them. A token with more positions than a part, as one that fills the padding, has its row shared out: so many
// columns a task.
constexpr size_t kPartsPerThread = 4;
constexpr size_t kSharedColumns = 128;

// A stable radix sort by the high half, which is below 2^31. `keys` and `other` are exchanged as needed; the result is
// in what is returned.
uint64_t* SortByToken(uint64_t* keys, uint64_t* other, size_t count, uint32_t largest) {
  for (int shift = 32; shift < 63 && (largest >> (shift - 32)) != 0; shift += kDigitBits) {
    uint32_t starts[kDigits] = {};
    const auto digit = [shift](uint64_t key) { return static_cast<uint32_t>(key >> shift) & (kDigits - 1); };
    for (size_t i = 0; i < count; ++i) ++starts[digit(keys[i])];
    uint32_t sum = 0;
    for (uint32_t& start : starts) sum += std::exchange(start, sum);
    for (size_t i = 0; i < count; ++i) other[starts[digit(keys[i])]++] = keys[i];
    std::swap(keys, other);
  }
  return keys;
}

// Sums the tokens [first, last). No hardware foresees where their rows lie, so a block of rows is asked for while the
// one before is summed; into the second-level cache, since the first has fewer places for what is on its way.
void SumTokens(const RecurrencePlan& plan, const TokenFold& fold, const FoldedRows& rows, size_t first, size_t last,
               float* sums, size_t sums_stride) {
  constexpr size_t kBlockRows = 8, kLineFloats = 16;
  const size_t end = static_cast<size_t>(fold.starts[last]);
  const float* blocks[2][kBlockRows];
  const auto fetch = [&](size_t position, const float** block) {
    for (size_t k = 0; k < std::min(kBlockRows, end - position); ++k) {
      const size_t at = static_cast<size_t>(fold.positions[position + k]);
      block[k] = rows.values + at / plan.steps * rows.sequence_stride + at % plan.steps * rows.row_stride;
      for (size_t i = 0; i < rows.width; i += kLineFloats) __builtin_prefetch(block[k] + i, 0, 2);
    }
  };
  size_t slot = first, position = static_cast<size_t>(fold.starts[first]);
  fetch(position, blocks[0]);
  for (int now = 0; position < end; now = 1 - now) {
    const size_t block_end = std::min(position + kBlockRows, end);
    fetch(block_end, blocks[1 - now]);
    for (size_t k = 0; position < block_end;) {
      float* sum = sums + slot * sums_stride;
      if (position == static_cast<size_t>(fold.starts[slot])) std::fill_n(sum, rows.width, 0.0f);
      const size_t slot_end = static_cast<size_t>(fold.starts[slot + 1]);
      const size_t count = std::min(slot_end, block_end) - position;
      AddRows(blocks[now] + k, count, rows.width, sum);
      k += count, position += count;
      if (position == slot_end) ++slot;
    }
  }
}

}  // namespace

void FoldTokens(const RecurrencePlan& plan, const Sequences& sequences, const int32_t* tokens, TokenFold& fold,
                uint64_t* spare) {
  size_t count = 0;
  uint32_t largest = 0;
  for (size_t p = 0; p < plan.batch; ++p) {
    const int32_t* sequence = tokens + static_cast<size_t>(sequences.order[p]) * plan.steps;
    const size_t first = sequences.FirstRow(plan, p);
    for (size_t row = first; row < first + sequences.Rows(plan, p); ++row) {
      const uint32_t token = static_cast<uint32_t>(sequence[sequences.Time(plan, p, row)]);
      largest = std::max(largest, token);
      spare[count++] = uint64_t{token} << 32 | (p * plan.steps + row);
    }
  }
  const uint64_t* sorted = SortByToken(spare, spare + plan.batch * plan.steps, count, largest);
  int32_t distinct = 0;
  for (size_t i = 0; i < count; ++i) {
    const int32_t token = static_cast<int32_t>(sorted[i] >> 32), position = static_cast<int32_t>(sorted[i]);
    if (distinct == 0 || fold.tokens[distinct - 1] != token) {
      fold.tokens[distinct] = token;
      fold.starts[distinct++] = static_cast<int32_t>(i);
    }
    fold.positions[i] = position;
    fold.slots[position] = distinct - 1;
  }
  fold.starts[distinct] = static_cast<int32_t>(count);
  *fold.distinct = distinct;
}

void SumByToken(const RecurrencePlan& plan, const TokenFold& fold, const FoldedRows& rows, float* sums,
                size_t sums_stride, ThreadPool& pool) {
  const size_t distinct = fold.Count(), positions = static_cast<size_t>(fold.starts[distinct]);
  const size_t parts = std::min(kPartsPerThread * static_cast<size_t>(pool.threads()), distinct);
  int32_t most = 0;
  for (size_t slot = 0; slot < distinct; ++slot) most = std::max(most, fold.starts[slot + 1] - fold.starts[slot]);
  const bool shared = static_cast<size_t>(most) * parts > positions;
  const size_t columns = shared ? kSharedColumns : rows.width;
  const size_t column_parts = (rows.width + columns - 1) / columns;
  const auto first_of = [&](size_t part) {
    const int32_t* bound = std::lower_bound(fold.starts, fold.starts + distinct, part * positions / parts);
    return static_cast<size_t>(bound - fold.starts);
  };
  pool.ParallelFor(parts * column_parts, [&](size_t task, int) {
    const size_t column = task % column_parts * columns, part = task / column_parts;
    FoldedRows some = rows;
    some.values += column;
    some.width = std::min(columns, rows.width - column);
    const size_t first = first_of(part), last = part + 1 == parts ? distinct : first_of(part + 1);
    if (first < last) SumTokens(plan, fold, some, first, last, sums + column, sums_stride);
  });
}

}  // namespace slim
