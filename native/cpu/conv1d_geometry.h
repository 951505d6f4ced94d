#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "backend.h"

/// Which rows of a convolution meet.
namespace slim {

/// Sizes of arrays are checked to be in range before a shape comes here.
inline size_t Size(int64_t value) { return static_cast<size_t>(value); }

struct RowRange {
  int64_t begin;
  int64_t end;

  int64_t Count() const { return end - begin; }
  bool Empty() const { return begin >= end; }
};

/// Input rows that `out_rows` neighbouring output rows read, those between them included.
inline int64_t SpanRows(const Conv1dShape& shape, int64_t out_rows) {
  return (out_rows - 1) * shape.stride + (shape.taps - 1) * shape.dilation + 1;
}

/// The first input row that an output row reads; negative within the padding.
inline int64_t FirstInputRow(const Conv1dShape& shape, int64_t out_row) {
  return out_row * shape.stride - shape.pad_left;
}

/// Whether no output row reads outside the sequence.
bool ReadsNoPadding(const Conv1dShape& shape);

/// Output rows whose input row for a tap lies within the sequence.
RowRange RowsOfTap(const Conv1dShape& shape, int64_t tap);

/// The output rows of one sequence of tokens, by what they read. Those that read nothing but token 0, which pads
/// sequences, before the first word or after the last are all alike; the others are plain.
struct RowClasses {
  RowRange padding[2];  // in front, behind; disjoint
  RowRange plain[3];    // before, between, after; in rising order
};

/// `tokens` [steps], or null for a sequence without tokens, all of whose rows are plain.
RowClasses ClassifyRows(const Conv1dShape& shape, const int32_t* tokens);

/// Input rows that plain output rows read: disjoint, in rising order, empty ones last.
struct ReadRows {
  RowRange ranges[3];
};
ReadRows RowsRead(const Conv1dShape& shape, const RowClasses& classes);

/// Neighbouring plain output rows of one sequence.
struct RowBlock {
  int64_t sample;
  int64_t begin;
  int64_t end;
};

/// At most this many blocks of `block_rows` rows.
size_t MostBlocks(const Conv1dShape& shape, int64_t batch, int64_t block_rows);

/// Cuts the plain rows of a batch into blocks of at most `block_rows` rows; returns their number.
size_t ListBlocks(const Conv1dShape& shape, int64_t batch, const SequenceInput& input, int64_t block_rows,
                  RowBlock* blocks);

inline const int32_t* TokensOf(const Conv1dShape& shape, const SequenceInput& input, int64_t sample) {
  return input.x != nullptr ? nullptr : input.tokens + sample * shape.steps;
}

/// Brings the input rows [begin, begin + count) of a sequence together, `stride` >= channels floats apart; rows outside
/// the sequence and what lies between the rows become zero.
void CopyRows(const Conv1dShape& shape, const SequenceInput& input, int64_t sample, int64_t begin, int64_t count,
              size_t stride, float* rows);

}  // namespace slim
