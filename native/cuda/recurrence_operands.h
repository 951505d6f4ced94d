#pragma once

#include "cuda/recurrence_cell.h"
#include "cuda/recurrence_walk.h"

/// What every kernel of the recurrence reads and writes; those with full recurrent products add to it.
namespace slim::cuda {

struct ForwardOperands {
  Walk walk;
  CellPlan cell;
  UnitWeights weights;
  InputProducts products;
  KeptRows kept;
  StateRows<float> output;
};

struct BackwardOperands {
  Walk walk;
  CellPlan cell;
  UnitWeights weights;
  KeptRows kept;  // the values are replaced by the gradients of their blocks' pre-activations
  StateRows<const float> doutput;
  double* sums;  // [B, SumBlocks, n]
  int sum_blocks;
};

}  // namespace slim::cuda
