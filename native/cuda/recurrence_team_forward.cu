#include "cuda/recurrence_lane_engine.h"
#include "cuda/recurrence_team_forward.h"
#include "cuda/recurrence_team_kernels.h"

namespace slim::cuda {

#define SLIM_INSTANCE(blocks, units, depth, dropout) \
  TeamForwardKernel<ForwardLaneEngine<blocks<units, depth>, dropout>>,
const TeamForwardFunction kLaneForwardKernels[] = {SLIM_LANE_INSTANCES(SLIM_INSTANCE)};
#undef SLIM_INSTANCE

}  // namespace slim::cuda
