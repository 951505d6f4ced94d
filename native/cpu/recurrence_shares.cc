#include "cpu/recurrence_shares.h"

#include <algorithm>

namespace slim {
namespace {

// The sequences of a group.
struct Group {
  size_t begin, end;
};

Group GroupOf(const RecurrencePlan& plan, size_t number) {
  const size_t begin = number * plan.group_rows;
  return {begin, std::min(begin + plan.group_rows, plan.batch)};
}

int32_t StepsOf(const RecurrencePlan& plan, const Sequences& sequences, const Group& group) {
  // A sequence costs something even where it has no step.
  int32_t steps = static_cast<int32_t>(group.end - group.begin);
  for (size_t p = group.begin; p < group.end; ++p) steps += static_cast<int32_t>(sequences.Rows(plan, p));
  return steps;
}

// Gives each group to the share that has the fewest steps yet, that of the stem first, to share 0: the others come by
// falling steps. `loads` [shares] is scratch.
void DealOut(const RecurrencePlan& plan, const Sequences& sequences, size_t shares, int32_t* loads, int32_t* owners) {
  std::fill_n(loads, shares, 0);
  for (size_t i = 0; i < plan.groups; ++i) {
    const size_t group = (i + plan.groups - 1) % plan.groups;
    int32_t* least = std::min_element(loads, loads + shares);
    *least += StepsOf(plan, sequences, GroupOf(plan, group));
    owners[group] = static_cast<int32_t>(least - loads);
  }
}

// Gives each share groups that follow one another; returns the number of shares that have some.
size_t CutUp(const RecurrencePlan& plan, const Sequences& sequences, size_t shares, int32_t* owners) {
  int64_t left = 0;
  for (size_t group = 0; group < plan.groups; ++group) left += StepsOf(plan, sequences, GroupOf(plan, group));
  size_t share = 0;
  for (size_t group = 0; group < plan.groups; ++share) {
    const int64_t due = left / static_cast<int64_t>(shares - share);
    int64_t taken = 0;
    do {
      taken += StepsOf(plan, sequences, GroupOf(plan, group));
      owners[group++] = static_cast<int32_t>(share);
    } while (group < plan.groups &&
             (share + 1 == shares || taken + StepsOf(plan, sequences, GroupOf(plan, group)) / 2 <= due));
    left -= taken;
  }
  return share;
}

}  // namespace

size_t Share::Active(const RecurrencePlan& plan, const Sequences& walks, size_t turn) const {
  size_t active = count;
  while (active > 0) {
    const size_t p = Sequence(active - 1);
    if (static_cast<size_t>(walks.lengths[p]) > turn && walks.FirstTurn(plan, p) <= turn) break;
    --active;
  }
  return active;
}

Shares::Shares(const RecurrencePlan& plan, const Sequences& sequences, const ThreadPool& pool,
               const ShareArrays& arrays)
    : arrays_(arrays),
      group_rows_(plan.group_rows),
      count_(std::min(static_cast<size_t>(pool.threads()), plan.groups)),
      spins_(pool.spins()) {
  std::fill_n(arrays.progress, count_, 0);
  const bool stem = sequences.Stem(plan) > 0;
  if (stem) {
    DealOut(plan, sequences, count_, arrays.bounds, arrays.owners);
  } else {
    count_ = CutUp(plan, sequences, count_, arrays.owners);
  }
  int32_t row = 0;
  for (size_t share = 0; share < count_; ++share) {
    arrays.bounds[share] = row;
    const auto add = [&](size_t p) {
      arrays.sequences[row] = static_cast<int32_t>(p);
      arrays.rows[p] = row++;
    };
    const size_t held = stem && share == 0 ? plan.batch - 1 : plan.batch;  // the sequence with the stem
    if (held < plan.batch) add(held);
    for (size_t number = 0; number < plan.groups; ++number) {
      if (static_cast<size_t>(arrays.owners[number]) != share) continue;
      const Group group = GroupOf(plan, number);
      for (size_t p = group.begin; p < group.end; ++p) {
        if (p != held) add(p);
      }
    }
  }
  arrays.bounds[count_] = row;
}

Share Shares::operator[](size_t number) const {
  const size_t begin = static_cast<size_t>(arrays_.bounds[number]),
               end = static_cast<size_t>(arrays_.bounds[number + 1]);
  return {arrays_.sequences + begin, end - begin, begin};
}

}  // namespace slim
