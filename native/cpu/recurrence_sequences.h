#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/recurrence_plan.h"

namespace slim {

/// The sequences of a batch, those with the most turns of their own first, and which times of each count. Steps under
/// the mask copy the state, so the kernels walk the others alone.
///
/// A sequence's counting times, rising, are its rows. They begin at row 0, or end at row T - 1 where the layer walks
/// backwards, so that a turn is the same row in all sequences. Without a mask row t is time t.
///
/// Without a mask sequences may have a stem: turns in which all of them read the same, as those of the padding in front
/// of texts, and so are in the same states. The last sequence walks the stem's turns; every sequence takes the state
/// it has after its starts[p] turns and walks the turns from there on by itself.
struct Sequences {
  const int32_t* order;    // [B]: which sequence of the batch comes p-th
  const int32_t* lengths;  // [B]: how many of its times count; falling
  const int32_t* starts;   // [B]: how many of its turns are the stem's; rising
  const int32_t* times;    // [B, T]: row -> time, for the rows of a sequence; null without a mask

  /// Turns of the stem; 0: there is none. It lies in the rows of the last sequence.
  size_t Stem(const RecurrencePlan& plan) const { return static_cast<size_t>(starts[plan.batch - 1]); }
  bool HoldsStem(const RecurrencePlan& plan, size_t p) const { return p + 1 == plan.batch; }

  /// The turns whose states lie in the rows of sequence p: from this one on,
  size_t FirstTurn(const RecurrencePlan& plan, size_t p) const {
    return HoldsStem(plan, p) ? 0 : static_cast<size_t>(starts[p]);
  }
  /// so many.
  size_t Rows(const RecurrencePlan& plan, size_t p) const {
    return static_cast<size_t>(lengths[p]) - FirstTurn(plan, p);
  }
  size_t FirstRow(const RecurrencePlan& plan, size_t p) const {
    return plan.shape.reverse ? plan.steps - static_cast<size_t>(lengths[p]) : FirstTurn(plan, p);
  }
  size_t Time(const RecurrencePlan& plan, size_t p, size_t row) const {
    return times == nullptr ? row : static_cast<size_t>(times[p * plan.steps + row]);
  }
};

/// Where FindSequences writes; shaped as in Sequences.
struct SequenceArrays {
  int32_t* order;
  int32_t* lengths;
  int32_t* starts;
  int32_t* times;
};

/// `mask` may be null. `tokens` [B, T] are read where the plan allows of a stem.
Sequences FindSequences(const RecurrencePlan& plan, const uint8_t* mask, const int32_t* tokens,
                        const SequenceArrays& arrays);

}  // namespace slim
