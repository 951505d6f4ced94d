#pragma once

#include "cuda/recurrence_plan.h"
#include "cuda/recurrence_walk.h"

/// x W of all steps at once, before the first.
namespace slim::cuda {

struct CudaContext;

struct InputWork {
  const RecurrencePlan& plan;
  const SequenceInput& input;
  const float* kernel;   // [m, input_blocks * n]
  const float* factors;  // [B, 4, m] of input dropout, or null
  float* rows;           // [B * T, kept blocks, n]
  float* folded;         // [fold rows, input blocks, n]
  float* gathered;       // [B * T, m], behind an embedding or under dropout
};

/// Behind an embedding of fewer tokens than there are positions the products are those of the table's rows; otherwise
/// they are written to `rows`, each block at its place.
InputProducts MultiplyInputs(const CudaContext& context, const InputWork& work);

}  // namespace slim::cuda
