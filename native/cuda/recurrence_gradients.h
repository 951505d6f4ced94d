#pragma once

#include "cuda/recurrence_plan.h"

/// The gradients of the weights and of what the layer reads, after the walk back, as products over all positions. The
/// rows of masked positions are zeros.
namespace slim::cuda {

struct CudaContext;

struct GradientWork {
  const RecurrencePlan& plan;
  const SequenceInput& input;
  const RecurrenceWeights& weights;
  const float* da;                 // [B * T, kept blocks, n]: of the blocks' pre-activations
  const float* h_before;           // [B * T, n]
  const float* input_factors;      // [B, 4, m] of dropout, or null
  const float* recurrent_factors;  // [B, 4, n], or null
  float* folded;                   // [fold rows, input blocks, n]
  float* gathered;                 // [B * T, m or n]
  float* gathered_gradient;        // [B * T, m]
  void* token_groups;              // of sums of rows of plan.TokenRowWidth()
};

/// bias and recurrent_diagonal from each sequence's sums [B, SumBlocks, n]; either may be null.
void ReduceSums(const CudaContext& context, const RecurrencePlan& plan, const double* sums,
                const RecurrenceGradients& gradients);

/// [n, full_blocks * n]
void ComputeRecurrentKernelGradient(const CudaContext& context, const GradientWork& work, float* gradient);

/// The kernel's [m, input_blocks * n] (or null), and what goes to the layer below.
void ComputeInputGradients(const CudaContext& context, const GradientWork& work, float* kernel_gradient,
                           const SequenceGradient& dinput);

}  // namespace slim::cuda
