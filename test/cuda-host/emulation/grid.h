#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "emulation/random.h"
#include "emulation/vector_types.h"

namespace emulated {

/// A launch whose limits were checked.
struct GridLaunch {
  std::string kernel;  // its name
  std::function<void()> thread;
  dim3 grid;
  dim3 block;
  unsigned int cluster = 1;  // blocks along x
  size_t shared_bytes = 0;
  bool cooperative = false;
  int capability = 90;
};

/// Runs all threads of the grid, each on a stack of its own, in an order that `random` decides; returns the number of
/// switches. Blocks that need not be resident together run a few at a time. Throws Failure.
int64_t RunGrid(const GridLaunch& launch, Random& random);

/// Whether a kernel is running.
bool InKernel();

}  // namespace emulated
