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

/// The gradients of U [units, full blocks * units], of W [inputs, input blocks * units] and of what the layer reads;
/// null where they are not wanted.
void ComputeProductGradients(const GradientWork& work, const RecurrenceGradients& gradients,
                             const SequenceGradient& dinput);

}  // namespace slim
