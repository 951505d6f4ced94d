#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/recurrence_plan.h"

namespace slim {

/// The sequences of a batch, longest first, and which times of each count. Steps under the mask copy the state, so the
/// kernels walk the others alone.
///
/// A sequence's counting times, rising, are its rows. They begin at row 0, or end at row T - 1 where the layer walks
/// backwards, so that a turn is the same row in all sequences. Without a mask row t is time t.
struct Sequences {
  const int32_t* order;    // [B]: which sequence of the batch comes p-th
  const int32_t* lengths;  // [B]: how many of its times count; falling
  const int32_t* times;    // [B, T]: row -> time, for the rows of a sequence; null without a mask

  size_t First(const RecurrencePlan& plan, size_t p) const {
    return plan.shape.reverse ? plan.steps - static_cast<size_t>(lengths[p]) : 0;
  }
  size_t Time(const RecurrencePlan& plan, size_t p, size_t row) const {
    return times == nullptr ? row : static_cast<size_t>(times[p * plan.steps + row]);
  }
  /// How many of the sequences [begin, end) have the turn: they are the first.
  size_t Active(size_t begin, size_t end, size_t turn) const {
    while (end > begin && static_cast<size_t>(lengths[end - 1]) <= turn) --end;
    return end - begin;
  }
};

/// Fills the arrays, which are shaped as in Sequences; `mask` may be null, and then `times` is not used.
Sequences FindSequences(const RecurrencePlan& plan, const uint8_t* mask, int32_t* order, int32_t* lengths,
                        int32_t* times);

/// Cuts the sequences into at most `most` ranges of whole groups of about the same number of steps. bounds
/// [most + 1]; returns the number of ranges.
size_t DivideSequences(const RecurrencePlan& plan, const Sequences& sequences, size_t most, int32_t* bounds);

}  // namespace slim
