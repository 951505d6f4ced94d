#pragma once

#include <cstddef>

#include "backend.h"
#include "cpu/recurrence_input.h"
#include "cpu/recurrence_memory.h"
#include "cpu/recurrence_plan.h"
#include "cpu/recurrence_sequences.h"
#include "thread_pool.h"

/// The gradient of a scan's kernel W, summed while the gradients of the pre-activations are still in the cache that the
/// scan left them in. A task of the scan owns a slice of the sequences and a panel of units, and so the sum of these;
/// the slices' sums are added up at the end. Slices depend on the shape alone, so the number of threads changes no bit.
namespace slim {

/// Whether the backward scan sums the kernel's gradient: one block has an input product, what it reads lies in rows,
/// and there are tasks enough for many threads. Otherwise ComputeInputGradients does.
bool SumsKernelInScan(const RecurrencePlan& plan);

/// Bytes of scratch for batches up to the plan's.
size_t ScanKernelBytes(const RecurrencePlan& plan, int threads);

/// Rows that the scan reads next, of several arrays: they are asked for during a product, which leaves memory idle,
/// so that the scan need not wait for them.
struct ComingRows {
  static constexpr size_t kArrays = 3;
  const float* first[kArrays] = {};
  ptrdiff_t stride[kArrays] = {};  // floats
  size_t floats = 0;               // of a row; 0: none come
};

class ScanKernelGradient {
 public:
  /// `scratch` is 64-byte aligned. `x` [B, T, m].
  ScanKernelGradient(const RecurrencePlan& plan, const Sequences& sequences, const RecurrenceCache& cache,
                     const float* x, int threads, void* scratch);

  size_t slices() const { return slices_; }

  /// One task's sum. Rows come turn by turn and are multiplied as soon as there are enough of them.
  class Sum {
   public:
    Sum(const ScanKernelGradient& gradient, size_t slice, size_t panel, int worker);

    /// Takes `turns` turns of sequence p, the last of which is `turn`, whose gradients the scan is about to write.
    /// Returns their rows of x, the last turn's first. At most RecurrencePlan::kMostChunkTurns.
    const float* const* TakeTurns(size_t p, size_t turn, size_t turns, const ComingRows& coming);
    /// Adds what is left over.
    void Finish();

   private:
    void Multiply(const ComingRows& coming);

    const ScanKernelGradient& gradient_;
    size_t panel_;
    float* sum_;
    const float** x_rows_;
    const float** da_rows_;
    size_t rows_ = 0;
    bool begun_ = false;
  };

  /// dw [m, units] = the sums of all slices.
  void AddSlices(float* dw, ThreadPool& pool) const;

 private:
  float* SumOf(size_t slice, size_t panel) const;
  size_t Width(size_t panel) const;

  const RecurrencePlan& plan_;
  const Sequences& sequences_;
  const float* x_;
  const float* da_ = nullptr;  // rows of the block with the product, as in the cache
  size_t slices_;
  size_t panels_;
  float* sums_;         // [slices][panels][m, panel columns]
  const float** rows_;  // [threads][2][rows of a product]
};

}  // namespace slim
