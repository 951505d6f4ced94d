#pragma once

#include "backend.h"
#include "cpu/recurrence_matrix.h"
#include "cpu/recurrence_scan_gradient.h"

/// Walks the steps of cells in which every unit sees itself alone: no product stands between the steps, so a task is
/// some sequences and some units, whose states stay in registers from the first step to the last.
namespace slim {

/// As WalkForward.
void ScanForward(const ForwardWalk& walk, ThreadPool& pool);

/// As WalkBackward. Where `kernel` is not null it gets the sums of the kernel's gradient.
void ScanBackward(const BackwardWalk& walk, const ScanKernelGradient* kernel, ThreadPool& pool);

}  // namespace slim
