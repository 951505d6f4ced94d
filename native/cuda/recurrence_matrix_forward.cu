#include "cuda/recurrence_matrix_engine.h"
#include "cuda/recurrence_team_forward.h"
#include "cuda/recurrence_team_kernels.h"

namespace slim::cuda {

#define SLIM_INSTANCE(precision, format, row_tiles) TeamForwardKernel<MatrixEngine<format, row_tiles>>,
const TeamForwardFunction kMatrixForwardKernels[] = {SLIM_MATRIX_INSTANCES(SLIM_INSTANCE)};
#undef SLIM_INSTANCE

}  // namespace slim::cuda
