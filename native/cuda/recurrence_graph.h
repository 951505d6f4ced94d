#pragma once

#include <cstdint>

#include "cuda/recurrence_operands.h"
#include "cuda/recurrence_plan.h"

/// K5: a product and an elementwise kernel each turn, for everything that the persistent kernels do not serve. The
/// launches are many, but a recorded step replays them as one graph.
namespace slim::cuda {

struct CudaContext;

struct GraphForwardOperands : ForwardOperands {
  int full_blocks;
  const float* recurrent_kernel;  // [n, full_blocks * n]
  float* h;                       // [B, n]
  float* c;                       // [B, n]
  float* recurrent;               // [B, full_width]: h U
  float* masked_h;                // [B, full_width]: h times the factors of dropout, where there is dropout
  float* row;                     // [B, 3, n], for softmax
};

struct GraphBackwardOperands : BackwardOperands {
  int full_blocks;
  const float* recurrent_kernel;  // [n, full_blocks * n]
  float* dh;                      // [B, n]: what comes through the diagonals
  float* dc;                      // [B, n]
  float* da;                      // [B, full_width]
  float* through;                 // [B, n], or with dropout [B, full_width]: da U^T
  float* row;                     // [B, 2, n], for softmax
};

void GraphForward(const CudaContext& context, const RecurrencePlan& plan, const GraphForwardOperands& operands);
void GraphBackward(const CudaContext& context, const RecurrencePlan& plan, const GraphBackwardOperands& operands);

}  // namespace slim::cuda
