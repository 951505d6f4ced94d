#pragma once

#include <memory>

#include "backend.h"

namespace slim::cuda {

/// The CUDA device of that index, computing in that precision where it has it, else in float32. Throws Error (kDevice,
/// kOutOfMemory).
///
/// One thread at a time may use it.
std::unique_ptr<Backend> MakeCudaBackend(int device, Precision precision);

}  // namespace slim::cuda
