#pragma once

#include <cstddef>
#include <cstdint>

#include "backend.h"
#include "cpu/conv1d_geometry.h"
#include "cpu/memory.h"
#include "cpu/product.h"
#include "thread_pool.h"

namespace slim {

/// Output rows that one task computes: what it reads of the input stays in the second-level cache.
inline constexpr int64_t kConvolutionBlockRows = 192;

/// The kernel as right operand: all taps in one matrix where their rows are neighbours in memory, else one a tap.
class PackedKernel {
 public:
  static size_t Bytes(const Conv1dShape& shape);
  PackedKernel(const Conv1dShape& shape, const float* kernel, Arena& arena);

  /// y = act(bias + rows * kernel) for `count` neighbouring output rows; the input row that the first of them reads
  /// first is at `rows`. On this thread.
  void Multiply(const float* rows, int64_t count, const float* bias, float* y) const;

 private:
  const Conv1dShape& shape_;
  PackedMatrix matrix_;    // all taps, or the first
  size_t tap_stride_ = 0;  // floats from tap to tap
};

/// What ConvolveBlocks takes from the arena.
size_t ConvolveBlocksBytes(const Conv1dShape& shape, int threads);

/// y of the rows of the blocks, each at most kConvolutionBlockRows rows.
void ConvolveBlocks(ThreadPool& pool, const Conv1dShape& shape, const SequenceInput& input,
                    const Conv1dWeights& weights, const RowBlock* blocks, size_t count, float* y, Arena& arena);

size_t ConvolveBytes(const Conv1dShape& shape, int64_t batch, bool embedded, int threads);

/// Backend's Conv1dForward. Takes ConvolveBytes from the arena.
void Convolve(ThreadPool& pool, const Conv1dShape& shape, int64_t batch, const SequenceInput& input,
              const Conv1dWeights& weights, float* y, Arena& arena);

}  // namespace slim
