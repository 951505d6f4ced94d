#pragma once

#include <cstdint>

#include "backend.h"
#include "thread_pool.h"

namespace slim {

/// Backend's operations of these names. NaN is larger than any number, so that it is not lost.
void MaxPoolForward(ThreadPool& pool, const MaxPoolShape& shape, int64_t batch, const float* x, float* y,
                    int32_t* winners);
void MaxPoolBackward(ThreadPool& pool, const MaxPoolShape& shape, int64_t batch, const int32_t* winners,
                     const float* dy, float* dx);

}  // namespace slim
