#pragma once

#include "cuda/recurrence_team.h"

/// The instances of the team kernels.
namespace slim::cuda {

using TeamForwardFunction = void (*)(TeamLaunch, TeamForwardOperands);
using TeamBackwardFunction = void (*)(TeamLaunch, TeamBackwardOperands);

/// In the order of SLIM_LANE_INSTANCES: float32.
extern const TeamForwardFunction kLaneForwardKernels[];
extern const TeamBackwardFunction kLaneBackwardKernels[];

/// In the order of SLIM_MATRIX_INSTANCES.
extern const TeamForwardFunction kMatrixForwardKernels[];
extern const TeamBackwardFunction kMatrixBackwardKernels[];

}  // namespace slim::cuda
