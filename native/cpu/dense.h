#pragma once

#include <cstddef>
#include <cstdint>

#include "backend.h"
#include "thread_pool.h"

namespace slim {

/// Backend's operations of these names.
size_t DenseScratchBytes(const DenseShape& shape, int64_t batch, bool training, int threads);
void DenseForward(ThreadPool& pool, const DenseShape& shape, int64_t batch, const float* x, const float* kernel,
                  const float* bias, float* y, void* scratch);
void DenseBackward(ThreadPool& pool, const DenseShape& shape, int64_t batch, const float* x, const float* kernel,
                   const float* y, float* dy, float* dkernel, float* dbias, float* dx, void* scratch);

}  // namespace slim
