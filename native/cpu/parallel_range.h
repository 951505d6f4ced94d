#pragma once

#include <algorithm>
#include <cstddef>

#include "thread_pool.h"

namespace slim {

/// Calls function(begin, end) for the pieces [0, piece), [piece, 2 piece), ... of [0, count), shared out over the pool.
/// Where the pieces end depends on `count` and `piece` alone.
template <class Function>
void ParallelRange(ThreadPool& pool, size_t count, size_t piece, const Function& function) {
  if (count == 0) return;
  pool.ParallelFor((count + piece - 1) / piece, [&](size_t task, int) {
    const size_t begin = task * piece;
    function(begin, std::min(begin + piece, count));
  });
}

/// Floats of an elementwise operation that one task takes: long enough to hide what a task costs, short enough to share
/// out evenly.
inline constexpr size_t kElementsPerTask = size_t{1} << 14;

}  // namespace slim
