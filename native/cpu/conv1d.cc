#include "cpu/conv1d.h"

#include <algorithm>

#include "cpu/conv1d_forward.h"
#include "cpu/conv1d_geometry.h"
#include "cpu/conv1d_gradient.h"
#include "cpu/memory.h"
#include "cpu/memory_operations.h"
#include "cpu/token_groups.h"

namespace slim {
namespace {

// --- output rows that read token 0 alone -----------------------------------------------------------------------------

// They add the same input row to each tap: dkernel[tap, c, f] += table[0, c] * sums[f].
void AddPaddingToKernel(const Conv1dShape& shape, const float* table, const float* sums, float* dkernel) {
  for (int64_t row = 0; row < shape.taps * shape.channels; ++row) {
    const float x = table[row % shape.channels];
    if (x == 0.0f) continue;
    for (int64_t f = 0; f < shape.filters; ++f) dkernel[row * shape.filters + f] += x * sums[f];
  }
}

// And each tap adds to the row of token 0: dtable[0, c] += sum over tap, f of kernel[tap, c, f] * sums[f].
void AddPaddingToTable(const Conv1dShape& shape, const float* kernel, const float* sums, float* dtable) {
  for (int64_t row = 0; row < shape.taps * shape.channels; ++row) {
    double sum = 0;
    for (int64_t f = 0; f < shape.filters; ++f) sum += static_cast<double>(kernel[row * shape.filters + f]) * sums[f];
    dtable[row % shape.channels] += static_cast<float>(sum);
  }
}

// --- the gradient of an embedding's table ----------------------------------------------------------------------------

size_t TableGradientBytes(const Conv1dShape& shape, int64_t batch) {
  const size_t positions = Size(batch * shape.steps);
  return TokenGroups::Bytes(positions) + TokenGroups::SumBytes(positions, Size(shape.channels));
}

void SumTableGradient(ThreadPool& pool, const Conv1dGradientTask& task, float* dtable, Arena& arena) {
  const Conv1dShape& shape = task.shape;
  TokenGroups groups(Size(task.batch * shape.steps), arena);
  for (int64_t sample = 0; sample < task.batch; ++sample) {
    const RowClasses classes = ClassifyRows(shape, TokensOf(shape, task.input, sample));
    for (const RowRange& range : RowsRead(shape, classes).ranges) {
      const int64_t sequence = sample * shape.steps;
      groups.Add(task.input.tokens, Size(sequence + range.begin), Size(sequence + range.end));
    }
  }
  Zero(pool, dtable, Size(task.input.vocabulary * shape.channels) * sizeof(float));
  groups.SumRows(task.dx, Size(shape.channels), dtable, pool, arena);
}

// --- scratch ---------------------------------------------------------------------------------------------------------

size_t PaddingSumsBytes(const Conv1dShape& shape) { return Arena::BytesOf<float>(Size(shape.filters)); }

size_t BackwardBytes(const Conv1dShape& shape, int64_t batch, bool embedded, int threads) {
  size_t gradients = DenseGradientBytes(shape, batch, embedded, threads);
  if (shape.dilation == 1) gradients = std::max(gradients, SparseGradientBytes(shape, batch, threads));
  if (!embedded) return gradients;
  return PaddingSumsBytes(shape) + Arena::BytesOf<float>(Size(batch * shape.steps * shape.channels)) +
         std::max(gradients, TableGradientBytes(shape, batch));
}

}  // namespace

size_t Conv1dScratchBytes(const Conv1dShape& shape, int64_t batch, bool embedded, bool training, int threads) {
  const size_t forward = ConvolveBytes(shape, batch, embedded, threads);
  return training ? std::max(forward, BackwardBytes(shape, batch, embedded, threads)) : forward;
}

void Conv1dForward(ThreadPool& pool, const Conv1dShape& shape, int64_t batch, const SequenceInput& input,
                   const Conv1dWeights& weights, float* y, void* scratch) {
  Arena arena(scratch, ConvolveBytes(shape, batch, input.x == nullptr, pool.threads()));
  Convolve(pool, shape, batch, input, weights, y, arena);
}

void Conv1dBackward(ThreadPool& pool, const Conv1dShape& shape, int64_t batch, const SequenceInput& input,
                    const Conv1dWeights& weights, const float* y, float* dy, const Conv1dGradients& gradients,
                    const SequenceGradient& dinput, void* scratch) {
  const bool embedded = input.x == nullptr;
  Arena arena(scratch, BackwardBytes(shape, batch, embedded, pool.threads()));
  Conv1dGradientTask task{shape, batch, input, weights.kernel, y, dy, gradients, dinput.dx, nullptr};
  if (embedded) {
    task.padding_sums = arena.Take<float>(Size(shape.filters));
    float* rows = arena.Take<float>(Size(batch * shape.steps * shape.channels));
    task.dx = dinput.dtable == nullptr ? nullptr : rows;
  }
  const bool sparse = shape.dilation == 1 && IsSparse(shape, batch, dy);
  (sparse ? ComputeSparseGradient : ComputeDenseGradient)(pool, task, arena);
  if (!embedded) return;
  if (dinput.dtable != nullptr) SumTableGradient(pool, task, dinput.dtable, arena);
  // A region of one task, so that denormals are rounded here as in the others.
  pool.ParallelFor(1, [&](size_t, int) {
    if (gradients.kernel != nullptr) {
      AddPaddingToKernel(shape, input.table, task.padding_sums, gradients.kernel);
    }
    if (dinput.dtable != nullptr) AddPaddingToTable(shape, weights.kernel, task.padding_sums, dinput.dtable);
  });
}

}  // namespace slim
