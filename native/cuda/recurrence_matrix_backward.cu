#include "cuda/recurrence_matrix_engine.h"
#include "cuda/recurrence_team_backward.h"
#include "cuda/recurrence_team_kernels.h"

namespace slim::cuda {

#define SLIM_INSTANCE(precision, format, row_tiles) TeamBackwardKernel<MatrixEngine<format, row_tiles>>,
const TeamBackwardFunction kMatrixBackwardKernels[] = {SLIM_MATRIX_INSTANCES(SLIM_INSTANCE)};
#undef SLIM_INSTANCE

}  // namespace slim::cuda
