#include "cuda/recurrence_lane_engine.h"
#include "cuda/recurrence_team_backward.h"
#include "cuda/recurrence_team_kernels.h"

namespace slim::cuda {

#define SLIM_INSTANCE(blocks, units, depth, dropout) \
  TeamBackwardKernel<BackwardLaneEngine<blocks<units, depth>, dropout>>,
const TeamBackwardFunction kLaneBackwardKernels[] = {SLIM_LANE_INSTANCES(SLIM_INSTANCE)};
#undef SLIM_INSTANCE

}  // namespace slim::cuda
