#pragma once

#include <cstddef>

#include "backend.h"
#include "cpu/recurrence_plan.h"
#include "cpu/recurrence_sequences.h"

/// The states that leave the layer, and where the gradients come in.
namespace slim {

/// Where the state of sequence p after a turn is written, or null.
float* OutputOfTurn(const RecurrencePlan& plan, const Sequences& sequences, const StateOutput& output, size_t p,
                    size_t turn);

struct IncomingGradients {
  StateGradient states;
  const float*
      stem;  // [stem's turns, padded]: sums over the sequences that share a turn; null without return_sequences
};

/// The gradient that comes in at the state of sequence p after a turn it walks, or null.
const float* GradientOfTurn(const RecurrencePlan& plan, const Sequences& sequences, const IncomingGradients& incoming,
                            size_t p, size_t turn);

/// Some of the layer's units.
struct UnitRange {
  size_t first;
  size_t count;
};

/// Under a mask steps repeat the state before them: writes these rows once the counting ones are there.
void RepeatMaskedOutputs(const RecurrencePlan& plan, const Sequences& sequences, const StateOutput& output, size_t p,
                         UnitRange units);

/// Whether gradients come in at masked steps that repeat the state of sequence p after a turn.
bool HasMaskedGradients(const RecurrencePlan& plan, const Sequences& sequences, size_t p, size_t turn);

/// Adds these gradients to dh, whose first element is that of the first unit of the layer.
void AddMaskedGradients(const RecurrencePlan& plan, const Sequences& sequences, const StateGradient& doutput, size_t p,
                        size_t turn, UnitRange units, float* dh);

}  // namespace slim
