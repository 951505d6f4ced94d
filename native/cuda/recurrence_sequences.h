#pragma once

#include <cstdint>

#include "cuda/recurrence_plan.h"
#include "cuda/recurrence_walk.h"

/// Masks: which positions the turns are, and what becomes of the others.
namespace slim::cuda {

struct CudaContext;

/// Where the lists of a walk lie.
struct WalkLists {
  int32_t* order;    // [B]
  int32_t* lengths;  // [B]
  int32_t* times;    // [B, T]
};

/// The walk without a mask, which needs no lists.
Walk WalkAll(const RecurrencePlan& plan);

/// The walk over the positions whose mask [B, T] is not 0, as lists that FindTurns has filled.
Walk WalkMasked(const RecurrencePlan& plan, const WalkLists& lists);
void FindTurns(const CudaContext& context, const RecurrencePlan& plan, const uint8_t* mask, const WalkLists& lists);

/// The masked rows of the output repeat the state before them; zeros where there is none.
void FillMaskedOutput(const CudaContext& context, const Walk& walk, int64_t units, const uint8_t* mask,
                      const StateRows<float>& output);

/// What masked rows of the output repeat, their gradients are added to: gathered [B, T, n] by position gets the sums at
/// the turns, and nothing elsewhere.
void GatherMaskedGradients(const CudaContext& context, const Walk& walk, int64_t units, const uint8_t* mask,
                           const StateRows<const float>& doutput, float* gathered);

/// Zeros in the rows [B * T, width] of masked positions.
void ClearMaskedRows(const CudaContext& context, const RecurrencePlan& plan, const uint8_t* mask, int64_t width,
                     float* rows);

}  // namespace slim::cuda
