#include "cpu/recurrence_output.h"

#include <algorithm>

#include "cpu/recurrence_turns.h"
#include "cpu/row_operations.h"

namespace slim {
namespace {

// The layer's turns with those under the mask: 0 <= raw turn < T.
size_t RawTurn(const RecurrencePlan& plan, const Sequences& sequences, size_t p, size_t turn) {
  const int64_t time = static_cast<int64_t>(sequences.Time(plan, p, plan.RowOfTurn(turn)));
  return static_cast<size_t>(TimeOfTurn(plan.shape, time));
}

// The row, of B * T, that a raw turn of sequence p is written to.
size_t OutputRow(const RecurrencePlan& plan, const Sequences& sequences, size_t p, size_t raw_turn) {
  const int64_t row = OutputRowOfTurn(plan.shape, static_cast<int64_t>(raw_turn));
  return static_cast<size_t>(sequences.order[p]) * plan.steps + static_cast<size_t>(row);
}

// The raw turn of the next counting step, or T.
size_t NextRawTurn(const RecurrencePlan& plan, const Sequences& sequences, size_t p, size_t turn) {
  const bool last = turn + 1 == static_cast<size_t>(sequences.lengths[p]);
  return last ? plan.steps : RawTurn(plan, sequences, p, turn + 1);
}

}  // namespace

float* OutputOfTurn(const RecurrencePlan& plan, const Sequences& sequences, const StateOutput& output, size_t p,
                    size_t turn) {
  const size_t stride = static_cast<size_t>(output.stride);
  if (plan.shape.return_sequences) {
    return output.h + OutputRow(plan, sequences, p, RawTurn(plan, sequences, p, turn)) * stride;
  }
  const bool last = turn + 1 == static_cast<size_t>(sequences.lengths[p]);
  return last ? output.h + static_cast<size_t>(sequences.order[p]) * stride : nullptr;
}

const float* GradientOfTurn(const RecurrencePlan& plan, const Sequences& sequences, const IncomingGradients& incoming,
                            size_t p, size_t turn) {
  if (incoming.stem != nullptr && turn < static_cast<size_t>(sequences.starts[p])) {
    return incoming.stem + turn * plan.padded;
  }
  // The states' gradients lie as the states do.
  const StateOutput output{const_cast<float*>(incoming.states.dh), incoming.states.stride};
  return OutputOfTurn(plan, sequences, output, p, turn);
}

void RepeatMaskedOutputs(const RecurrencePlan& plan, const Sequences& sequences, const StateOutput& output, size_t p,
                         UnitRange units) {
  const size_t stride = static_cast<size_t>(output.stride);
  const size_t length = static_cast<size_t>(sequences.lengths[p]);
  if (length == plan.steps) return;
  float* first_row = output.h + units.first;
  if (!plan.shape.return_sequences) {
    if (length == 0) std::fill_n(first_row + static_cast<size_t>(sequences.order[p]) * stride, units.count, 0.0f);
    return;
  }
  const size_t first = length == 0 ? plan.steps : RawTurn(plan, sequences, p, 0);
  for (size_t raw = 0; raw < first; ++raw) {
    std::fill_n(first_row + OutputRow(plan, sequences, p, raw) * stride, units.count, 0.0f);
  }
  for (size_t turn = 0; turn < length; ++turn) {
    const size_t raw = RawTurn(plan, sequences, p, turn), next = NextRawTurn(plan, sequences, p, turn);
    const float* h = first_row + OutputRow(plan, sequences, p, raw) * stride;
    for (size_t repeated = raw + 1; repeated < next; ++repeated) {
      std::copy_n(h, units.count, first_row + OutputRow(plan, sequences, p, repeated) * stride);
    }
  }
}

bool HasMaskedGradients(const RecurrencePlan& plan, const Sequences& sequences, size_t p, size_t turn) {
  if (!plan.shape.return_sequences || sequences.times == nullptr) return false;
  return NextRawTurn(plan, sequences, p, turn) > RawTurn(plan, sequences, p, turn) + 1;
}

void AddMaskedGradients(const RecurrencePlan& plan, const Sequences& sequences, const StateGradient& doutput, size_t p,
                        size_t turn, UnitRange units, float* dh) {
  const size_t stride = static_cast<size_t>(doutput.stride);
  const size_t next = NextRawTurn(plan, sequences, p, turn);
  for (size_t raw = RawTurn(plan, sequences, p, turn) + 1; raw < next; ++raw) {
    const size_t row = OutputRow(plan, sequences, p, raw);
    AddRow(units.count, doutput.dh + row * stride + units.first, dh + units.first);
  }
}

}  // namespace slim
