#pragma once

#include <cstdint>

#include "cuda/recurrence_plan.h"
#include "cuda/recurrence_walk.h"

/// K1: cells in which every unit sees itself alone. One thread walks one unit of one sequence through all its turns;
/// state, parameters and sums stay in registers, and what the next turns read is on its way while this one is computed.
namespace slim::cuda {

struct CudaContext;

struct ScanForwardOperands {
  Walk walk;
  CellPlan cell;
  UnitWeights weights;
  InputProducts products;
  KeptRows kept;
  StateRows<float> output;
};

struct ScanBackwardOperands {
  Walk walk;
  CellPlan cell;
  UnitWeights weights;
  KeptRows kept;  // the values are replaced by the gradients of their blocks' pre-activations
  StateRows<const float> doutput;
  double* sums;  // [B, SumBlocks, n]
  int sum_blocks;
};

/// Whether the scan serves the cell.
bool ScanServes(const RecurrencePlan& plan);

void ScanForward(const CudaContext& context, const RecurrencePlan& plan, const ScanForwardOperands& operands);
void ScanBackward(const CudaContext& context, const RecurrencePlan& plan, const ScanBackwardOperands& operands);

}  // namespace slim::cuda
