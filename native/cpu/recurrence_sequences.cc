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

}  // namespace slim
