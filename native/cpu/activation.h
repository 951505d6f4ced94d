#pragma once

#include <cstdint>

#include "backend.h"
#include "thread_pool.h"

namespace slim {

/// Backend's operations of these names.
void ActivationForward(ThreadPool& pool, Activation activation, int64_t rows, int64_t width, const float* x, float* y);
void ActivationBackward(ThreadPool& pool, Activation activation, int64_t rows, int64_t width, const float* y,
                        const float* dy, float* dx);

/// dx = dy * act'(.), the derivative told from the outputs y; any activation but softmax. On this thread, for use
/// within a task. May be in place.
void MultiplyByDerivative(Activation activation, int64_t count, const float* y, const float* dy, float* dx);

}  // namespace slim
