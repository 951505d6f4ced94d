#pragma once

#include <cstddef>
#include <cstdint>

#include "backend.h"
#include "cuda/context.h"

/// A convolution with its windows written out, as the rows of a matrix, so that cuBLASLt multiplies them. An element of
/// a window is written and read once more for it, and has as many multiply-adds as the product has columns: with
/// columns enough those count. In reduced precision they take too little time. A part of the batch is written at a
/// time.
namespace slim::cuda {

/// Whether that takes less time for products of so many columns: filters, or channels for the input's gradient.
bool WritesWindows(const CudaContext& context, int64_t columns);

/// Scratch of MultiplyWrittenWindows and of WrittenKernelGradient, for the batch and smaller ones.
size_t WrittenWindowsBytes(const CudaContext& context, const Conv1dShape& shape, int64_t batch);
/// The same of WrittenInputGradient.
size_t WrittenGradientWindowsBytes(const CudaContext& context, const Conv1dShape& shape, int64_t batch);

/// y before the activation, but for relu, which it holds.
void MultiplyWrittenWindows(const CudaContext& context, const Conv1dShape& shape, int64_t batch,
                            const SequenceInput& input, const Conv1dWeights& weights, float* y, void* scratch);

/// From dy of the pre-activations.
void WrittenKernelGradient(const CudaContext& context, const Conv1dShape& shape, int64_t batch,
                           const SequenceInput& input, const float* dy, float* dkernel, void* scratch);
void WrittenInputGradient(const CudaContext& context, const Conv1dShape& shape, int64_t batch, const float* kernel,
                          const float* dy, float* dx, void* scratch);

}  // namespace slim::cuda
