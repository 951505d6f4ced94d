#pragma once

#include <cuda_runtime.h>

#include "backend.h"

namespace slim::cuda {

/// Writes the values to device memory, in the order of the stream. Never part of a recorded step: the values travel as
/// the parameter of a kernel, so no host memory has to outlive the call.
void WriteStepValues(cudaStream_t stream, const StepValues& values, StepValues* to);

}  // namespace slim::cuda
