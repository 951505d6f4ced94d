#include "cuda/launch.h"
#include "cuda/step_values.h"

namespace slim::cuda {
namespace {

__global__ void WriteKernel(StepValues values, StepValues* to) { *to = values; }

}  // namespace

void WriteStepValues(cudaStream_t stream, const StepValues& values, StepValues* to) {
  Launch(&WriteKernel, {}, stream, values, to);
}

}  // namespace slim::cuda
