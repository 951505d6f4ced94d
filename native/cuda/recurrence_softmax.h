#pragma once

#include "cuda/recurrence_graph.h"

/// A turn of the cell whose activation is softmax over the hidden axis. A block walks the row of one sequence.
namespace slim::cuda {

void SoftmaxForwardTurn(const CudaContext& context, const GraphForwardOperands& operands, int turn);
void SoftmaxBackwardTurn(const CudaContext& context, const GraphBackwardOperands& operands, int turn);

}  // namespace slim::cuda
