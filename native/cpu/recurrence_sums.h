#pragma once

#include <cstddef>

#include "backend.h"
#include "cpu/recurrence_memory.h"
#include "cpu/recurrence_output.h"
#include "cpu/recurrence_plan.h"
#include "thread_pool.h"

/// The gradients of bias and diagonals: sums over the steps of each group of sequences, then over the groups.
namespace slim {

/// Turns after which the sums of a group are carried over into totals of double precision, so that the rounding errors
/// of very long sequences stay small.
inline constexpr size_t kTurnsPerTotal = 256;

void ClearSums(const RecurrencePlan& plan, const BackwardScratch& scratch);

/// Adds the sums of a group's units to its totals and clears them.
void CarrySums(const RecurrencePlan& plan, size_t group, UnitRange units, const BackwardScratch& scratch);

/// bias and recurrent_diagonal of the gradients, where wanted, from the groups' totals.
void ReduceSums(const RecurrencePlan& plan, const BackwardScratch& scratch, const RecurrenceGradients& gradients);

}  // namespace slim
