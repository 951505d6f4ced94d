#include "cpu/conv1d_geometry.h"

#include <cstring>

namespace slim {
namespace {

int64_t CeilDiv(int64_t a, int64_t b) { return a <= 0 ? 0 : (a + b - 1) / b; }

// Output rows that read nothing but the input rows [begin, end).
RowRange RowsWithin(const Conv1dShape& shape, RowRange input) {
  const int64_t first = CeilDiv(input.begin + shape.pad_left, shape.stride);
  const int64_t room = input.end - SpanRows(shape, 1) + shape.pad_left;
  const int64_t end = room < 0 ? 0 : std::min(shape.out_steps, room / shape.stride + 1);
  return {std::min(first, shape.out_steps), std::max(std::min(first, shape.out_steps), end)};
}

}  // namespace

bool ReadsNoPadding(const Conv1dShape& shape) {
  return shape.pad_left == 0 && FirstInputRow(shape, shape.out_steps - 1) + SpanRows(shape, 1) <= shape.steps;
}

RowRange RowsOfTap(const Conv1dShape& shape, int64_t tap) {
  const int64_t offset = tap * shape.dilation - shape.pad_left;
  const int64_t begin = CeilDiv(-offset, shape.stride);
  const int64_t last = shape.steps - 1 - offset;
  const int64_t end = last < 0 ? 0 : std::min(shape.out_steps, last / shape.stride + 1);
  return {begin, std::max(begin, end)};
}

RowClasses ClassifyRows(const Conv1dShape& shape, const int32_t* tokens) {
  RowClasses classes{};
  classes.plain[0] = {0, shape.out_steps};
  if (tokens == nullptr) return classes;
  int64_t front = 0, back = 0;
  while (front < shape.steps && tokens[front] == 0) ++front;
  while (back < shape.steps - front && tokens[shape.steps - 1 - back] == 0) ++back;
  classes.padding[0] = RowsWithin(shape, {0, front});
  classes.padding[1] = RowsWithin(shape, {shape.steps - back, shape.steps});
  if (back == 0) classes.padding[1] = {shape.out_steps, shape.out_steps};
  classes.plain[0] = {0, classes.padding[0].begin};
  classes.plain[1] = {classes.padding[0].end, classes.padding[1].begin};
  classes.plain[2] = {classes.padding[1].end, shape.out_steps};
  return classes;
}

ReadRows RowsRead(const Conv1dShape& shape, const RowClasses& classes) {
  ReadRows read{};
  int count = 0;
  for (const RowRange& plain : classes.plain) {
    if (plain.Empty()) continue;
    const int64_t first = FirstInputRow(shape, plain.begin);
    const RowRange rows = {std::max<int64_t>(first, 0), std::min(first + SpanRows(shape, plain.Count()), shape.steps)};
    if (rows.Empty()) continue;
    if (count > 0 && rows.begin <= read.ranges[count - 1].end) {
      read.ranges[count - 1].end = std::max(read.ranges[count - 1].end, rows.end);
    } else {
      read.ranges[count++] = rows;
    }
  }
  return read;
}

size_t MostBlocks(const Conv1dShape& shape, int64_t batch, int64_t block_rows) {
  return Size(batch * ((shape.out_steps + block_rows - 1) / block_rows + 3));
}

size_t ListBlocks(const Conv1dShape& shape, int64_t batch, const SequenceInput& input, int64_t block_rows,
                  RowBlock* blocks) {
  size_t count = 0;
  for (int64_t sample = 0; sample < batch; ++sample) {
    const RowClasses classes = ClassifyRows(shape, TokensOf(shape, input, sample));
    for (const RowRange& plain : classes.plain) {
      for (int64_t begin = plain.begin; begin < plain.end; begin += block_rows) {
        blocks[count++] = {sample, begin, std::min(begin + block_rows, plain.end)};
      }
    }
  }
  return count;
}

void CopyRows(const Conv1dShape& shape, const SequenceInput& input, int64_t sample, int64_t begin, int64_t count,
              size_t stride, float* rows) {
  const size_t channels = Size(shape.channels);
  for (int64_t i = 0; i < count; ++i, rows += stride) {
    const int64_t step = begin + i;
    if (step < 0 || step >= shape.steps) {
      std::fill_n(rows, stride, 0.0f);
      continue;
    }
    const int64_t position = sample * shape.steps + step;
    const float* row = input.x != nullptr ? input.x + position * shape.channels
                                          : input.table + int64_t{input.tokens[position]} * shape.channels;
    std::memcpy(rows, row, channels * sizeof(float));
    std::fill_n(rows + channels, stride - channels, 0.0f);
  }
}

}  // namespace slim
