#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/recurrence_output.h"
#include "cpu/recurrence_plan.h"
#include "cpu/recurrence_sequences.h"
#include "thread_pool.h"

/// The stem of a batch's sequences (see Sequences): how it is found, and what passes between it and them.
namespace slim {

/// Orders the sequences by the turns they share and fills `order` and `starts`; false where too few share too little,
/// and then both hold nothing. `times` is scratch.
///
/// The stem follows the sequence with the longest run of the token that most turns begin with; each other one shares
/// the turns up to the first at which it reads another token.
bool FindStem(const RecurrencePlan& plan, const int32_t* tokens, const SequenceArrays& arrays);

/// The sequences that leave the stem with its state after `turns` of its turns, the last sequence aside, in whose rows
/// the stem's states lie.
struct SequenceRange {
  size_t begin, end;
};
SequenceRange LeavingAfter(const RecurrencePlan& plan, const Sequences& sequences, size_t turns);

/// The number of turns after which the next sequence leaves, more than `turns`; at the most all of the stem's.
size_t NextLeaving(const RecurrencePlan& plan, const Sequences& sequences, size_t turns);
/// The number of turns after which the last one left before `turns`, or 0.
size_t LastLeaving(const RecurrencePlan& plan, const Sequences& sequences, size_t turns);

/// Gives these sequences the state of the last one. Row p of h and c begins p * stride floats on.
void LeaveStem(const SequenceRange& leaving, const RecurrencePlan& plan, UnitRange units, float* h, float* c,
               size_t stride);

/// Adds the gradients of the states these sequences began with to those of the last one. dh, dc [B, padded].
void JoinStem(const SequenceRange& leaving, const RecurrencePlan& plan, UnitRange units, float* dh, float* dc);

/// With return_sequences: the states after the stem's turns are written for the last sequence; copies those that
/// sequence p shares.
void RepeatStemOutputs(const RecurrencePlan& plan, const Sequences& sequences, const StateOutput& output, size_t p,
                       UnitRange units);

/// With return_sequences: sums [stem's turns, padded] = the sum over the sequences that share a turn of the gradients
/// that come in there.
void SumStemGradients(const RecurrencePlan& plan, const Sequences& sequences, const StateGradient& doutput, float* sums,
                      ThreadPool& pool);

}  // namespace slim
