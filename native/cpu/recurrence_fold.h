#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/recurrence_plan.h"
#include "cpu/recurrence_sequences.h"
#include "thread_pool.h"

namespace slim {

/// The batch's positions by token: behind an embedding x W depends on the token alone, so it is computed once for each
/// distinct token, and its gradients are summed by token before they meet a product.
struct TokenFold {
  int32_t* tokens;     // [B * T]: the distinct tokens, rising
  int32_t* starts;     // [B * T + 1]: where a distinct token's positions begin in `positions`
  int32_t* positions;  // [B * T]: p * T + row, rising within a token; those under the mask are left out
  int32_t* slots;      // [B * T], by p * T + row: number of the distinct token
  int32_t* distinct;   // [1]

  size_t Count() const { return static_cast<size_t>(*distinct); }
};

/// Fills the fold's arrays. `spare` [B * T, 2] is scratch.
void FoldTokens(const RecurrencePlan& plan, const Sequences& sequences, const int32_t* tokens, TokenFold& fold,
                uint64_t* spare);

/// sums[slot, :] = sum of the rows of `values` at the slot's positions, which are those of [B, T] rows of `width`
/// floats; row `r` of sequence p begins at values + p * sequence_stride + r * row_stride.
struct FoldedRows {
  const float* values;
  size_t sequence_stride;
  size_t row_stride;
  size_t width;
};
void SumByToken(const RecurrencePlan& plan, const TokenFold& fold, const FoldedRows& rows, float* sums,
                size_t sums_stride, ThreadPool& pool);

}  // namespace slim
