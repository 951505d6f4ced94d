#pragma once

#include <memory>
#include <string>

#include "backend.h"

namespace slim {

struct CpuDescription {
  std::string target;  // the instruction set chosen, such as "AVX-512"
  int cores;           // that this process may run on
};

CpuDescription CpuInfo();

/// The CPU as a device: its memory is the host's, and operations are done when their call returns. `threads` counts the
/// calling thread; 0 means one for each core that the process may run on. Throws Error (kInvalidArgument, kDevice).
///
/// One thread at a time may use it.
std::unique_ptr<Backend> MakeCpuBackend(int threads);

}  // namespace slim
