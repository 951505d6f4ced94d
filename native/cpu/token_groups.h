#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/memory.h"
#include "thread_pool.h"

namespace slim {

/// Positions of a batch grouped by the token at them, so that what depends on the token alone is done once for each
/// distinct token. Tokens are numbered as they are first met.
class TokenGroups {
 public:
  /// What the groups of up to `positions` positions take from an arena.
  static size_t Bytes(size_t positions);

  /// `positions`: of the whole batch.
  TokenGroups(size_t positions, Arena& arena);

  /// Adds the positions [begin, end) of `tokens`; those that are there already stay as they are.
  void Add(const int32_t* tokens, size_t begin, size_t end);

  /// Distinct tokens so far.
  size_t Count() const { return count_; }
  /// [Count()]
  const int32_t* Tokens() const { return tokens_; }
  /// [positions]: the number of the token at a position, -1 where the position was not added.
  const int32_t* Slots() const { return slots_; }

  /// What SumRows takes from an arena for rows of `width` floats.
  static size_t SumBytes(size_t positions, size_t width);

  /// sums[token, :] = the sum of the rows at the token's positions; tokens that were not met are left alone. Row p of
  /// `rows` [positions, width] is that of position p. The order of summation depends on the tokens alone.
  void SumRows(const float* rows, size_t width, float* sums, ThreadPool& pool, Arena& arena) const;

 private:
  size_t positions_;
  size_t added_ = 0;
  size_t count_ = 0;
  size_t table_mask_;
  int32_t* table_;  // [table_mask_ + 1]: open hash table of numbers, -1 where it is free
  int32_t* slots_;
  int32_t* tokens_;  // [positions]
};

}  // namespace slim
