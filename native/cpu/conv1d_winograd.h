#pragma once

#include <cstddef>
#include <cstdint>

#include "backend.h"
#include "cpu/conv1d_geometry.h"
#include "cpu/memory.h"
#include "thread_pool.h"

namespace slim {

/// Winograd's minimal filtering: S. Winograd, "Arithmetic Complexity of Computations" (1980); for networks A. Lavin and
/// S. Gray, "Fast Algorithms for Convolutional Neural Networks" (CVPR 2016). Eight input rows and a kernel of `taps`
/// rows are taken as polynomials and evaluated at the points 0, 1, -1, 2, -2, 1/2, -1/2 and infinity; their products
/// there give 9 - taps output rows. That takes 8 multiplications where the definition takes taps * (9 - taps): 2.5
/// times fewer for 5 taps. The result differs by rounding alone; its error is about twice that of the plain sum.
bool HasWinograd(const Conv1dShape& shape);

size_t ConvolveWinogradBytes(const Conv1dShape& shape, int threads);

/// y of the blocks' rows. Takes ConvolveWinogradBytes from the arena.
void ConvolveWinograd(ThreadPool& pool, const Conv1dShape& shape, const SequenceInput& input,
                      const Conv1dWeights& weights, const RowBlock* blocks, size_t count, float* y, Arena& arena);

}  // namespace slim
