#pragma once

#include <cstddef>
#include <cstdint>

#include "backend.h"
#include "cpu/memory.h"
#include "thread_pool.h"

namespace slim {

/// What the backward pass of a convolution works on and where its results go.
struct Conv1dGradientTask {
  Conv1dShape shape;
  int64_t batch;
  SequenceInput input;
  const float* kernel;  // [taps, C, F]
  const float* y;       // [B, T out, F]
  float* dy;            // [B, T out, F]
  Conv1dGradients gradients;
  float* dx;  // [B, T, C] or null; behind an embedding only the rows that RowsRead names are written
  /// Behind an embedding: the sum over all output rows that read token 0 alone of the gradient of their
  /// pre-activations. They are left out of all else.
  float* padding_sums;  // [F]
};

/// The plain way: products over all rows. Destroys dy.
size_t DenseGradientBytes(const Conv1dShape& shape, int64_t batch, bool embedded, int threads);
void ComputeDenseGradient(ThreadPool& pool, const Conv1dGradientTask& task, Arena& arena);

/// For a dy that is zero almost everywhere, as max-pooling leaves it: each element that is not adds its row of the
/// input to the kernel's gradient, and its row of the kernel to the input's. Dilation 1 alone.
size_t SparseGradientBytes(const Conv1dShape& shape, int64_t batch, int threads);
void ComputeSparseGradient(ThreadPool& pool, const Conv1dGradientTask& task, Arena& arena);

/// Whether the sparse way is the faster one, told from a sample of dy's rows.
bool IsSparse(const Conv1dShape& shape, int64_t batch, const float* dy);

}  // namespace slim
