#pragma once

#include <cstdint>

#include "cuda/recurrence_operands.h"
#include "cuda/recurrence_plan.h"

/// K1: cells in which every unit sees itself alone. One thread walks one unit of one sequence through all its turns;
/// state, parameters and sums stay in registers, and what the next turns read is on its way while this one is computed.
namespace slim::cuda {

struct CudaContext;

/// Whether the scan serves the cell.
bool ScanServes(const RecurrencePlan& plan);

void ScanForward(const CudaContext& context, const RecurrencePlan& plan, const ForwardOperands& operands);
void ScanBackward(const CudaContext& context, const RecurrencePlan& plan, const BackwardOperands& operands);

}  // namespace slim::cuda
