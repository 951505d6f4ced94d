#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/context.h"

namespace slim::cuda {

/// Positions in the order of their tokens; those of one token in rising order. On the device.
struct TokenOrder {
  const uint32_t* tokens;    // [count], rising
  const int32_t* positions;  // [count]
  int64_t count;
};

/// Bytes for TokenGroups of `count` tokens and for sums of rows of up to `width` floats; 0 for no sums.
size_t TokenGroupsBytes(int64_t count, int64_t width);

/// Sorts the tokens, all of them in [0, vocabulary), `count` below 2^31, within `memory` (256-byte aligned).
TokenOrder GroupTokens(const CudaContext& context, const int32_t* tokens, int64_t count, int64_t vocabulary,
                       void* memory);

/// Where TokenGroups' memory has room for sums that several blocks share (token_sums.h).
float* OpenSums(int64_t count, void* memory);

/// table[token] = the sum of its positions' rows, or becomes larger by it; rows of tokens that do not occur are not
/// touched. The sum's order depends on the tokens alone. `memory` is that of GroupTokens.
void SumRowsByToken(const CudaContext& context, const TokenOrder& order, const float* rows, int64_t width,
                    bool accumulate, float* table, void* memory);

/// The same of rows and a table that are parts of wider ones: strides count floats from row to row.
struct StridedRows {
  const float* rows;
  int64_t row_stride;
  int64_t width;
  float* table;
  int64_t table_stride;
};
void SumRowsByToken(const CudaContext& context, const TokenOrder& order, const StridedRows& rows, bool accumulate,
                    void* memory);

}  // namespace slim::cuda
