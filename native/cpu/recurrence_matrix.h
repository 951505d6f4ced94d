#pragma once

#include <cstdint>

#include "backend.h"
#include "cpu/recurrence_input.h"
#include "cpu/recurrence_memory.h"
#include "cpu/recurrence_operands.h"
#include "cpu/recurrence_output.h"
#include "cpu/recurrence_plan.h"
#include "cpu/recurrence_sequences.h"
#include "cpu/recurrence_steps.h"
#include "thread_pool.h"

/// Walks the steps of cells with a full recurrent product, and of those whose activation takes whole rows. Each thread
/// has sequences of its own for all their steps, so nothing waits between the steps.
namespace slim {

/// What both passes work on.
struct RecurrenceWork {
  const RecurrencePlan& plan;
  const Sequences& sequences;
  const CellParameters& cell;
  const PackedBlocks& recurrent_kernel;  // in the backward pass the transpose
};

/// What a walk through all steps reads and writes.
struct ForwardWalk {
  const RecurrenceWork& work;
  const InputProducts& input;
  const StateOutput& output;
  const RecurrenceCache* cache;  // null in inference
  const ForwardScratch& scratch;
};
struct BackwardWalk {
  const RecurrenceWork& work;
  const IncomingGradients& incoming;
  const RecurrenceCache& cache;
  const BackwardScratch& scratch;
};

void WalkForward(const ForwardWalk& walk, ThreadPool& pool);

/// Leaves the gradients of the kept blocks' pre-activations in the cache and the sums of gradients in the scratch.
void WalkBackward(const BackwardWalk& walk, ThreadPool& pool);

}  // namespace slim
