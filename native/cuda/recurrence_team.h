#pragma once

#include <cstdint>
#include <string>

#include "cuda/recurrence_exchange.h"
#include "cuda/recurrence_memory.h"
#include "cuda/recurrence_operands.h"
#include "cuda/recurrence_plan.h"
#include "cuda/recurrence_team_engine.h"

/// K2, K3 and K4: one launch walks all turns. A team of blocks walks a tile of sequences; each block owns some units,
/// whose recurrent weights stay in its registers, and whose part of every step it gives to the others of its team
/// (recurrence_exchange.h). Two engines multiply: in float32 the ordinary units (recurrence_engine.h), in tf32 and
/// bfloat16 the matrix units (recurrence_matrix_engine.h).
namespace slim::cuda {

struct CudaContext;

struct TeamForwardOperands : ForwardOperands {
  int full_blocks;
  const float* recurrent_kernel;  // [n, full_blocks * n]
};

struct TeamBackwardOperands : BackwardOperands {
  int full_blocks;
  const float* recurrent_kernel;
};

/// What the kernels are launched with.
struct TeamLaunch {
  TeamShape team;
  int units;        // of the layer
  int block_units;  // of a block
  int tiles;        // of sequences
  int group_warps;  // that own the same units
  int slices;       // parts of the depth
};

/// How a pass is divided.
struct TeamChoice {
  TeamKind kind = TeamKind::kBlock;
  TeamEngine engine;
  int threads = 0;
  int block_units = 0;
  int blocks = 0;     // of a team
  int sequences = 0;  // of a tile
  int teams = 0;
  size_t shared_bytes = 0;
  std::string reason;  // why the kind does not serve; empty where it does

  bool Serves() const { return reason.empty(); }
};

/// `blocks`: of a team; 0 for the fewest that hold the weights. Asks the device what is resident.
TeamChoice ChooseTeam(const CudaContext& context, const RecurrencePlan& plan, Pass pass, TeamKind kind, int blocks);

/// For choices that serve.
void TeamForward(const CudaContext& context, const RecurrencePlan& plan, const TeamChoice& choice,
                 const TeamForwardOperands& operands, const TeamMemory& memory);
void TeamBackward(const CudaContext& context, const RecurrencePlan& plan, const TeamChoice& choice,
                  const TeamBackwardOperands& operands, const TeamMemory& memory);

}  // namespace slim::cuda
