#include "cpu/recurrence_stem.h"

#include <algorithm>
#include <numeric>

#include "cpu/recurrence_turns.h"
#include "cpu/row_operations.h"

namespace slim {
namespace {

// A turn of the stem is walked for one sequence alone, and reads all weights of a full recurrent product for it; so
// this many sequences must share it for that to pay.
constexpr size_t kFewestSharers = 4;
constexpr size_t kFewestScanSharers = 2;

// A shorter stem is not worth a walk of its own.
constexpr int32_t kShortestStem = 8;

// The tokens of the sequences in the order of turns.
class TurnTokens {
 public:
  TurnTokens(const RecurrencePlan& plan, const int32_t* tokens) : plan_(plan), tokens_(tokens) {}

  int32_t At(int32_t sequence, size_t turn) const {
    return tokens_[static_cast<size_t>(sequence) * plan_.steps +
                   static_cast<size_t>(TimeOfTurn(plan_.shape, static_cast<int64_t>(turn)))];
  }

  // Turns in which the sequence reads the token of its first one. Those that count towards a stem leave out the last
  // turn, so that every sequence writes its last state itself.
  int32_t Run(int32_t sequence) const {
    const int32_t token = At(sequence, 0);
    return Count([&](size_t turn) { return At(sequence, turn) == token; });
  }

  int32_t Common(int32_t a, int32_t b) const {
    return Count([&](size_t turn) { return At(a, turn) == At(b, turn); });
  }

 private:
  template <class Condition>
  int32_t Count(const Condition& alike) const {
    size_t turn = 0;
    while (turn + 1 < plan_.steps && alike(turn)) ++turn;
    return static_cast<int32_t>(turn);
  }

  const RecurrencePlan& plan_;
  const int32_t* tokens_;
};

// The sequence with the longest run of the token whose runs save the most turns, were the longest walked for all.
int32_t FindLeader(const RecurrencePlan& plan, const TurnTokens& tokens, int32_t* order, int32_t* runs) {
  for (size_t b = 0; b < plan.batch; ++b) runs[b] = tokens.Run(static_cast<int32_t>(b));
  const auto by_token_and_run = [&](int32_t a, int32_t b) {
    const int32_t token_a = tokens.At(a, 0), token_b = tokens.At(b, 0);
    if (token_a != token_b) return token_a < token_b;
    return runs[a] != runs[b] ? runs[a] < runs[b] : a < b;
  };
  std::sort(order, order + plan.batch, by_token_and_run);
  int64_t most_saved = -1, saved = 0;
  int32_t leader = order[0];
  for (size_t i = 0; i < plan.batch; ++i) {
    const bool last = i + 1 == plan.batch || tokens.At(order[i], 0) != tokens.At(order[i + 1], 0);
    if (!last) {
      saved += runs[order[i]];
      continue;
    }
    if (saved > most_saved) most_saved = saved, leader = order[i];
    saved = 0;
  }
  return leader;
}

}  // namespace

bool FindStem(const RecurrencePlan& plan, const int32_t* tokens, const SequenceArrays& arrays) {
  const size_t sharers = plan.scan ? kFewestScanSharers : kFewestSharers;
  if (plan.batch < sharers) return false;
  const TurnTokens read(plan, tokens);
  int32_t* order = arrays.order;
  std::iota(order, order + plan.batch, 0);
  const int32_t leader = FindLeader(plan, read, order, arrays.times);

  int32_t* shared = arrays.times;  // [B], by the batch's number
  for (size_t b = 0; b < plan.batch; ++b) shared[b] = read.Common(leader, static_cast<int32_t>(b));
  std::sort(order, order + plan.batch, [&](int32_t a, int32_t b) {
    if (shared[a] != shared[b]) return shared[a] < shared[b];
    return a != leader && (b == leader || a < b);
  });
  const int32_t stem = shared[order[plan.batch - sharers]];
  if (stem < kShortestStem) return false;
  for (size_t p = 0; p < plan.batch; ++p) arrays.starts[p] = std::min(shared[order[p]], stem);
  return true;
}

SequenceRange LeavingAfter(const RecurrencePlan& plan, const Sequences& sequences, size_t turns) {
  const int32_t* last = sequences.starts + plan.batch - 1;
  const auto [begin, end] = std::equal_range(sequences.starts, last, static_cast<int32_t>(turns));
  return {static_cast<size_t>(begin - sequences.starts), static_cast<size_t>(end - sequences.starts)};
}

size_t NextLeaving(const RecurrencePlan& plan, const Sequences& sequences, size_t turns) {
  const int32_t* ends = sequences.starts + plan.batch;
  return static_cast<size_t>(*std::upper_bound(sequences.starts, ends, static_cast<int32_t>(turns)));
}

size_t LastLeaving(const RecurrencePlan& plan, const Sequences& sequences, size_t turns) {
  const int32_t* ends = sequences.starts + plan.batch;
  const int32_t* reached = std::lower_bound(sequences.starts, ends, static_cast<int32_t>(turns));
  return reached == sequences.starts ? 0 : static_cast<size_t>(reached[-1]);
}

void LeaveStem(const SequenceRange& leaving, const RecurrencePlan& plan, UnitRange units, float* h, float* c,
               size_t stride) {
  const size_t from = (plan.batch - 1) * stride + units.first;
  for (size_t p = leaving.begin; p < leaving.end; ++p) {
    std::copy_n(h + from, units.count, h + p * stride + units.first);
    std::copy_n(c + from, units.count, c + p * stride + units.first);
  }
}

void JoinStem(const SequenceRange& leaving, const RecurrencePlan& plan, UnitRange units, float* dh, float* dc) {
  const size_t to = (plan.batch - 1) * plan.padded + units.first;
  for (size_t p = leaving.begin; p < leaving.end; ++p) {
    AddRow(units.count, dh + p * plan.padded + units.first, dh + to);
    AddRow(units.count, dc + p * plan.padded + units.first, dc + to);
  }
}

void RepeatStemOutputs(const RecurrencePlan& plan, const Sequences& sequences, const StateOutput& output, size_t p,
                       UnitRange units) {
  if (!plan.shape.return_sequences || sequences.HoldsStem(plan, p)) return;
  for (size_t turn = 0; turn < static_cast<size_t>(sequences.starts[p]); ++turn) {
    const float* h = OutputOfTurn(plan, sequences, output, plan.batch - 1, turn);
    std::copy_n(h + units.first, units.count, OutputOfTurn(plan, sequences, output, p, turn) + units.first);
  }
}

void SumStemGradients(const RecurrencePlan& plan, const Sequences& sequences, const StateGradient& doutput, float* sums,
                      ThreadPool& pool) {
  const IncomingGradients incoming{doutput, nullptr};
  const int32_t* ends = sequences.starts + plan.batch;
  pool.ParallelFor(sequences.Stem(plan), [&](size_t turn, int) {
    float* sum = sums + turn * plan.padded;
    std::fill_n(sum, plan.padded, 0.0f);
    const int32_t* sharer = std::upper_bound(sequences.starts, ends, static_cast<int32_t>(turn));
    for (; sharer != ends; ++sharer) {
      const size_t p = static_cast<size_t>(sharer - sequences.starts);
      AddRow(plan.units, GradientOfTurn(plan, sequences, incoming, p, turn), sum);
    }
  });
}

}  // namespace slim
