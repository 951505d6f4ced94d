#include <algorithm>

#include "cuda/activation.h"
#include "cuda/column_sums.h"
#include "cuda/conv1d.h"
#include "cuda/conv1d_fold.h"
#include "cuda/conv1d_operand.h"
#include "cuda/conv1d_windows.h"
#include "cuda/memory_operations.h"
#include "cuda/placement.h"
#include "cuda/product_kernel.h"
#include "cuda/token_groups.h"
#include "cuda/vector_access.h"

namespace slim::cuda {
namespace {

// Of the input's rows, in scratch, behind an embedding.
size_t RowBytes(const Conv1dShape& shape, int64_t batch) {
  return AlignedBytes(static_cast<size_t>(batch * shape.steps * shape.channels) * sizeof(float));
}

ProductResult DenseResult(int64_t rows, int64_t columns, int64_t depth, float* c) {
  return {rows, columns, depth, c, columns, nullptr, false, false};
}

// Rows of x, or of the table; null is as good as aligned.
bool RowsReadInFours(const SequenceInput& input, int64_t channels) {
  return ReadsInFours(input.x, channels) && ReadsInFours(input.table, channels);
}

template <int kVector>
void MultiplyWindows(const CudaContext& context, const Conv1dShape& shape, const SequenceInput& input,
                     const float* kernel, const ProductResult& result) {
  const LineMajorOperand<kVector> right{kernel, shape.filters, shape.filters, result.depth};
  MultiplyOperands(context, WindowRows<kVector>{{shape, input}, result.rows}, right, result);
}

template <int kVector>
void MultiplyGradient(const CudaContext& context, const Conv1dShape& shape, const SequenceInput& input, const float* dy,
                      const ProductResult& result) {
  const LineMajorOperand<kVector> right{dy, shape.filters, shape.filters, result.depth};
  MultiplyOperands(context, WindowColumns<kVector>{{shape, input}, result.depth}, right, result);
}

template <int kVector>
void MultiplyBack(const CudaContext& context, const Conv1dShape& shape, const float* kernel, const float* dy,
                  const ProductResult& result) {
  MultiplyOperands(context, SeenRows<kVector>{shape, dy, result.rows}, KernelOfChannels<kVector>{shape, kernel},
                   result);
}

void ComputeKernelGradient(const CudaContext& context, const Conv1dShape& shape, int64_t batch,
                           const SequenceInput& input, const float* dy, float* dkernel, void* scratch) {
  if (WritesWindows(context, shape.filters)) {
    return WrittenKernelGradient(context, shape, batch, input, dy, dkernel, scratch);
  }
  const ProductResult result =
      DenseResult(shape.taps * shape.channels, shape.filters, batch * shape.out_steps, dkernel);
  const bool vectors = RowsReadInFours(input, shape.channels) && ReadsInFours(dy, shape.filters);
  (vectors ? &MultiplyGradient<4> : &MultiplyGradient<1>)(context, shape, input, dy, result);
}

void ComputeInputGradient(const CudaContext& context, const Conv1dShape& shape, int64_t batch, const float* kernel,
                          const float* dy, float* dx, void* scratch) {
  if (WritesWindows(context, shape.channels)) {
    return WrittenInputGradient(context, shape, batch, kernel, dy, dx, scratch);
  }
  const ProductResult result = DenseResult(batch * shape.steps, shape.channels, shape.taps * shape.filters, dx);
  const bool vectors = ReadsInFours(kernel, shape.filters) && ReadsInFours(dy, shape.filters);
  (vectors ? &MultiplyBack<4> : &MultiplyBack<1>)(context, shape, kernel, dy, result);
}

}  // namespace

size_t Conv1dScratchBytes(const CudaContext& context, const Conv1dShape& shape, int64_t batch, bool embedded,
                          bool training) {
  const size_t windows = WritesWindows(context, shape.filters) ? WrittenWindowsBytes(context, shape, batch) : 0;
  const size_t of_gradient =
      training && WritesWindows(context, shape.channels) ? WrittenGradientWindowsBytes(context, shape, batch) : 0;
  if (!embedded) return std::max(windows, of_gradient);
  const size_t folded = FoldedConv1dScratchBytes(shape, batch, training);
  if (!training) return std::max(windows, folded);
  // The rows' gradients lie before what they are computed with and what sums them up.
  const size_t groups = TokenGroupsBytes(batch * shape.steps, shape.channels);
  return std::max({windows, folded, RowBytes(shape, batch) + std::max(of_gradient, groups)});
}

void Conv1dForward(const CudaContext& context, const Conv1dShape& shape, int64_t batch, const SequenceInput& input,
                   const Conv1dWeights& weights, float* y, void* scratch) {
  if (FoldsConv1d(shape, batch, input)) return FoldedConv1dForward(context, shape, batch, input, weights, y, scratch);
  const int64_t rows = batch * shape.out_steps;
  if (WritesWindows(context, shape.filters)) {
    MultiplyWrittenWindows(context, shape, batch, input, weights, y, scratch);
  } else {
    ProductResult result = DenseResult(rows, shape.filters, shape.taps * shape.channels, y);
    result.bias = weights.bias;
    result.relu = shape.activation == Activation::kRelu;
    const bool vectors = RowsReadInFours(input, shape.channels) && ReadsInFours(weights.kernel, shape.filters);
    (vectors ? &MultiplyWindows<4> : &MultiplyWindows<1>)(context, shape, input, weights.kernel, result);
  }
  if (shape.activation == Activation::kRelu || shape.activation == Activation::kLinear) return;
  ActivationForward(context, shape.activation, rows, shape.filters, y, y);
}

void Conv1dBackward(const CudaContext& context, const Conv1dShape& shape, int64_t batch, const SequenceInput& input,
                    const Conv1dWeights& weights, const float* y, float* dy, const Conv1dGradients& gradients,
                    const SequenceGradient& dinput, void* scratch) {
  if ((gradients.kernel != nullptr || dinput.dtable != nullptr) && FoldsConv1d(shape, batch, input)) {
    return FoldedConv1dBackward(context, shape, batch, input, weights, y, dy, gradients, dinput.dtable, scratch);
  }
  const int64_t rows = batch * shape.out_steps;
  if (shape.activation != Activation::kLinear) {
    ActivationBackward(context, shape.activation, rows, shape.filters, y, dy, dy);
  }
  if (gradients.kernel != nullptr) {
    ComputeKernelGradient(context, shape, batch, input, dy, gradients.kernel, scratch);
  }
  if (gradients.bias != nullptr) ColumnSums(context, dy, rows, shape.filters, shape.filters, gradients.bias);
  if (dinput.dx != nullptr) {
    ComputeInputGradient(context, shape, batch, weights.kernel, dy, dinput.dx, scratch);
  }
  if (dinput.dtable == nullptr) return;
  auto* dx = static_cast<float*>(scratch);
  void* rest = static_cast<uint8_t*>(scratch) + RowBytes(shape, batch);
  ComputeInputGradient(context, shape, batch, weights.kernel, dy, dx, rest);
  const TokenOrder order = GroupTokens(context, input.tokens, batch * shape.steps, input.vocabulary, rest);
  Zero(context, dinput.dtable, static_cast<size_t>(input.vocabulary * shape.channels) * sizeof(float));
  SumRowsByToken(context, order, dx, shape.channels, false, dinput.dtable, rest);
}

}  // namespace slim::cuda
