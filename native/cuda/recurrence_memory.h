#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/placement.h"
#include "cuda/recurrence_plan.h"
#include "cuda/recurrence_sequences.h"

/// The arrays of the recurrence in the memory that the caller gives. Each set is made twice: once without memory, to
/// learn the bytes, and once with it. All that a smaller batch takes fits into what a larger one takes.
namespace slim::cuda {

/// Kept from the forward to the backward pass of a training step.
struct RecurrenceCache {
  RecurrenceCache(const RecurrencePlan& plan, void* memory);

  float* values;    // [B * T, kept blocks, n]; the input products first, then the blocks' values, then their gradients
  float* c_before;  // [B * T, n]
  float* h_before;  // [B * T, n], where a block sees it
  WalkLists lists;
  size_t bytes;
};

/// Of the team kernels (recurrence_team.h).
struct TeamMemory {
  TeamMemory(const RecurrencePlan& plan, Placement& placement);

  static constexpr int kMostBlocks = 8192;   // of a grid
  static constexpr int kMostSequences = 32;  // of a tile

  float* states;    // what the blocks of a grid tell each other
  uint32_t* flags;  // [kMostBlocks]: how far they are
};

struct ForwardScratch {
  ForwardScratch(const RecurrencePlan& plan, void* memory);

  Placement placement;
  WalkLists lists;           // in inference
  float* input_factors;      // [B, 4, m] of dropout
  float* recurrent_factors;  // [B, 4, n]
  float* products;           // inference: [B * T, kept blocks, n]
  float* folded;             // [fold rows, input blocks, n]
  float* gathered;           // [B * T, m]: rows of the table, or x times the factors of dropout
  float* h;                  // K5: [B, n]
  float* c;                  // [B, n]
  float* recurrent;          // [B, full blocks, n]
  float* masked_h;           // [B, full blocks, n]
  float* row;                // [B, 3, n]
  TeamMemory team;
};

struct BackwardScratch {
  BackwardScratch(const RecurrencePlan& plan, void* memory);

  Placement placement;
  float* input_factors;
  float* recurrent_factors;
  float* doutput;            // [B * T, n]: gradients of the output with those of masked rows added
  double* sums;              // [B, bias and diagonal blocks, n]
  float* folded;             // [fold rows, input blocks, n]: gradients summed by token
  float* gathered;           // [B * T, m or n]: x or h times the factors of dropout, or rows of the table
  float* gathered_gradient;  // [B * T, m]
  void* token_groups;        // of the sums by token
  float* dh;                 // K5: [B, n]
  float* dc;                 // [B, n]
  float* da;                 // [B, full blocks, n]
  float* through;            // [B, n or full blocks, n]
  float* row;                // [B, 2, n]
  TeamMemory team;
};

}  // namespace slim::cuda
