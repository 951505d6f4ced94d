#pragma once

#include "backend.h"
#include "cpu/recurrence_matrix.h"

/// What the backward pass does once the gradients of all pre-activations are known: large products over all steps of
/// all sequences.
namespace slim {

struct GradientWork {
  const RecurrencePlan& plan;
  const Sequences& sequences;
  const SequenceInput& input;
  const RecurrenceWeights& weights;
  const RecurrenceCache& cache;
  const BackwardScratch& scratch;
  ThreadPool& pool;
};

/// The gradient of U [units, full blocks * units].
void ComputeRecurrentKernelGradient(const GradientWork& work, float* gradient);

/// The gradients of W [inputs, input blocks * units] and of what the layer reads; null where they are not wanted.
void ComputeInputGradients(const GradientWork& work, float* kernel_gradient, const SequenceGradient& dinput);

}  // namespace slim
