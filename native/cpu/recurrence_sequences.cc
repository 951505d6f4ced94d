#include "cpu/recurrence_sequences.h"

#include <algorithm>
#include <numeric>

#include "cpu/recurrence_stem.h"

namespace slim {
namespace {

int32_t CountSteps(const uint8_t* mask, size_t steps) {
  int32_t count = 0;
  for (size_t t = 0; t < steps; ++t) count += mask[t] != 0;
  return count;
}

Sequences UnmaskedSequences(const RecurrencePlan& plan, const int32_t* tokens, const SequenceArrays& arrays) {
  std::fill_n(arrays.lengths, plan.batch, static_cast<int32_t>(plan.steps));
  if (!plan.stem || !FindStem(plan, tokens, arrays)) {
    std::iota(arrays.order, arrays.order + plan.batch, 0);
    std::fill_n(arrays.starts, plan.batch, 0);
  }
  return {arrays.order, arrays.lengths, arrays.starts, nullptr};
}

Sequences MaskedSequences(const RecurrencePlan& plan, const uint8_t* mask, const SequenceArrays& arrays) {
  const auto& [order, lengths, starts, times] = arrays;
  std::iota(order, order + plan.batch, 0);
  std::fill_n(starts, plan.batch, 0);
  // The lengths of the batch's sequences wait in the rows of `times` while the order is found.
  for (size_t b = 0; b < plan.batch; ++b) times[b] = CountSteps(mask + b * plan.steps, plan.steps);
  std::sort(order, order + plan.batch,
            [times = times](int32_t a, int32_t b) { return times[a] != times[b] ? times[a] > times[b] : a < b; });
  for (size_t p = 0; p < plan.batch; ++p) lengths[p] = times[order[p]];
  for (size_t p = 0; p < plan.batch; ++p) {
    const uint8_t* counts = mask + static_cast<size_t>(order[p]) * plan.steps;
    int32_t* row = times + p * plan.steps;
    if (plan.shape.reverse) row += plan.steps - static_cast<size_t>(lengths[p]);
    for (size_t t = 0; t < plan.steps; ++t) {
      if (counts[t] != 0) *row++ = static_cast<int32_t>(t);
    }
  }
  return {order, lengths, starts, times};
}

}  // namespace

Sequences FindSequences(const RecurrencePlan& plan, const uint8_t* mask, const int32_t* tokens,
                        const SequenceArrays& arrays) {
  return mask == nullptr ? UnmaskedSequences(plan, tokens, arrays) : MaskedSequences(plan, mask, arrays);
}

size_t DivideSequences(const RecurrencePlan& plan, const Sequences& sequences, size_t most, int32_t* bounds) {
  // A step costs something even where few sequences take part in it. A turn of the stem reads all weights for one row.
  constexpr int64_t kStepCost = 1, kStemTurnCost = 2;
  const auto cost_of = [&](size_t p) {
    const int64_t stem = sequences.HoldsStem(plan, p) ? kStemTurnCost * sequences.starts[p] : 0;
    return sequences.lengths[p] - sequences.starts[p] + kStepCost + stem;
  };
  int64_t left = 0;
  for (size_t p = 0; p < plan.batch; ++p) left += cost_of(p);
  size_t ranges = 0, begin = 0;
  while (begin < plan.batch && most > 0) {
    const int64_t share = (left + static_cast<int64_t>(most) - 1) / static_cast<int64_t>(most);
    int64_t taken = 0;
    size_t end = begin;
    while (end < plan.batch) {
      int64_t group = 0;
      const size_t group_end = std::min(end + plan.group_rows, plan.batch);
      for (size_t p = end; p < group_end; ++p) group += cost_of(p);
      if (end > begin && most > 1 && taken + group / 2 > share) break;
      taken += group;
      end = group_end;
    }
    bounds[ranges++] = static_cast<int32_t>(begin);
    begin = end;
    left -= taken;
    --most;
  }
  bounds[ranges] = static_cast<int32_t>(plan.batch);
  return ranges;
}

}  // namespace slim
