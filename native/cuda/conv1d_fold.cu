#include <algorithm>

#include "cell.h"
#include "cuda/activation.h"
#include "cuda/column_sums.h"
#include "cuda/conv1d_fold.h"
#include "cuda/conv1d_taps.h"
#include "cuda/division.h"
#include "cuda/elementwise.h"
#include "cuda/memory_operations.h"
#include "cuda/placement.h"
#include "cuda/product.h"
#include "cuda/token_groups.h"
#include "cuda/token_sums.h"
#include "cuda/vector_access.h"

namespace slim::cuda {
namespace {

// --- the choice ------------------------------------------------------------------------------------------------------

// Reading 4 bytes that a tap found is counted as so many multiply-adds of a product: about what a device does in
// float32 while its second-level cache yields them.
constexpr int64_t kMultipliesPerValue = 16;

// The first tap through which every output row sees a row of the sequence, -1 where there is none. The sums of such a
// tap over all tokens are those over all output rows.
int64_t TapWithinSequence(const Conv1dShape& shape) {
  for (int64_t tap = 0; tap < shape.taps; ++tap) {
    const int64_t first = tap * shape.dilation - shape.pad_left;
    if (first >= 0 && first + (shape.out_steps - 1) * shape.stride < shape.steps) return tap;
  }
  return -1;
}

// The most rows of a table that are folded; sizes are planned for any vocabulary. Half as many rows as there are
// windows have half the products, and the reads of the values are to take no more than the other half. What the taps
// make of them may need twice the memory of the output.
int64_t FoldRows(const Conv1dShape& shape, int64_t batch) {
  if (shape.channels < 2 * kMultipliesPerValue || TapWithinSequence(shape) < 0) return 0;
  if (batch * shape.steps > INT32_MAX) return 0;  // GroupTokens
  return batch * shape.out_steps * 2 / std::max<int64_t>(4, shape.taps);
}

// --- memory ----------------------------------------------------------------------------------------------------------

struct FoldMemory {
  Placement placement;
  float* kernel;    // [C, taps * F]
  float* folded;    // [rows, taps * F]: what the taps make of the table's rows, or sums of gradients
  float* gradient;  // [C, taps * F], training
  void* groups;     // training

  FoldMemory(const Conv1dShape& shape, int64_t batch, int64_t rows, bool training, void* memory) : placement(memory) {
    const int64_t width = shape.taps * shape.filters;
    kernel = placement.Take<float>(shape.channels * width);
    folded = placement.Take<float>(rows * width);
    gradient = placement.Take<float>(training ? shape.channels * width : 0);
    const size_t group_bytes = training ? TokenGroupsBytes(batch * shape.steps, width) : 0;
    groups = placement.Take<uint8_t>(static_cast<int64_t>(group_bytes));
  }
};

// --- products with the taps side by side -----------------------------------------------------------------------------

// folded = table kernel
void FoldTable(const CudaContext& context, const Conv1dShape& shape, const SequenceInput& input,
               const FoldMemory& memory) {
  Multiply(context, ProductNN(input.vocabulary, shape.taps * shape.filters, shape.channels),
           {input.table, memory.kernel, memory.folded, nullptr});
}

// gradient = table^T folded
void MultiplyKernelGradient(const CudaContext& context, const Conv1dShape& shape, const SequenceInput& input,
                            const FoldMemory& memory) {
  Multiply(context, ProductTN(shape.channels, shape.taps * shape.filters, input.vocabulary),
           {input.table, memory.folded, memory.gradient, nullptr});
}

// dtable = folded kernel^T
void MultiplyTableGradient(const CudaContext& context, const Conv1dShape& shape, const SequenceInput& input,
                           const FoldMemory& memory, float* dtable) {
  Multiply(context, ProductNT(input.vocabulary, shape.channels, shape.taps * shape.filters),
           {memory.folded, memory.kernel, dtable, nullptr});
}

// --- forward ---------------------------------------------------------------------------------------------------------

// kVector neighbours of a row of y. kVector is 4 where the filters and all addresses are multiples of 4 floats.
template <int kVector>
struct SumOfTaps {
  Conv1dShape shape;
  const int32_t* tokens;  // [B, T]
  const float* folded;    // [vocabulary, taps, F]
  const float* bias;      // [F] or null
  float* y;               // [B, T out, F]

  __device__ void operator()(int64_t i) const {
    int64_t row, part, sample, t;
    DivideBy(i, shape.filters / kVector, &row, &part);
    DivideBy(row, shape.out_steps, &sample, &t);
    const int64_t filter = part * kVector;
    const int32_t* sequence = tokens + sample * shape.steps;
    float sum[kVector] = {};
    if (bias != nullptr) LoadVector<kVector>(bias + filter, sum);
    int64_t step = t * shape.stride - shape.pad_left;
    // Outside the sequence something is read too: without a branch the reads of several taps are under way together.
#pragma unroll 4
    for (int64_t tap = 0; tap < shape.taps; ++tap, step += shape.dilation) {
      const int64_t seen = min(max(step, int64_t{0}), shape.steps - 1);
      const int64_t token = sequence[seen];
      float value[kVector];
      LoadVector<kVector>(folded + (token * shape.taps + tap) * shape.filters + filter, value);
#pragma unroll
      for (int k = 0; k < kVector; ++k) sum[k] += seen == step ? value[k] : 0.0f;
    }
#pragma unroll
    for (int k = 0; k < kVector; ++k) sum[k] = Activate(shape.activation, sum[k]);
    StoreVector<kVector>(sum, y + row * shape.filters + filter);
  }
};

template <int kVector>
void SumTaps(const CudaContext& context, const Conv1dShape& shape, int64_t batch, const int32_t* tokens,
             const float* folded, const float* bias, float* y) {
  ForEachElement(context, batch * shape.out_steps * (shape.filters / kVector),
                 SumOfTaps<kVector>{shape, tokens, folded, bias, y});
}

// --- backward --------------------------------------------------------------------------------------------------------

// The row [taps, F] of a position: the gradients of the output rows that see it, through one tap after the other.
// dy is of the pre-activations, or kRelu: of y, where the gradient is 0 where y is.
template <bool kRelu, int kVector_>
struct SeenGradients {
  static constexpr int kVector = kVector_;
  struct Place {
    int64_t first;  // the sample's first output row
    int64_t reach;  // the step + pad_left
  };
  struct Column {
    int64_t offset;  // of the tap
    int64_t filter;
  };

  Conv1dShape shape;
  const float* y;   // [B, T out, F]
  const float* dy;  // [B, T out, F]

  __device__ Place Prepare(int64_t position) const {
    int64_t sample, step;
    DivideBy(position, shape.steps, &sample, &step);
    return {sample * shape.out_steps, step + shape.pad_left};
  }
  __device__ Column PrepareColumn(int64_t column) const {
    int64_t tap, filter;
    DivideBy(column, shape.filters, &tap, &filter);
    return {tap * shape.dilation, filter};
  }
  __device__ void Load(const Place& place, const Column& column, float* to) const {
    int64_t t = place.reach - column.offset;
    bool inside = t >= 0;
    if (shape.stride > 1 && inside) {
      int64_t rest;
      DivideBy(t, shape.stride, &t, &rest);
      inside = rest == 0;
    }
    // As above, read in any case.
    const int64_t seen = min(max(t, int64_t{0}), shape.out_steps - 1);
    inside = inside && seen == t;
    const int64_t at = (place.first + seen) * shape.filters + column.filter;
    float gradient[kVector], output[kVector];
    LoadVector<kVector>(dy + at, gradient);
    LoadVector<kVector>((kRelu ? y : dy) + at, output);
#pragma unroll
    for (int k = 0; k < kVector; ++k) to[k] = inside && (!kRelu || output[k] > 0.0f) ? gradient[k] : 0.0f;
  }
};

template <bool kRelu, int kVector>
void SumGradients(const CudaContext& context, const Conv1dShape& shape, const TokenOrder& order, const float* y,
                  const float* dy, const FoldMemory& memory) {
  const int64_t width = shape.taps * shape.filters;
  SumByToken(context, order, SeenGradients<kRelu, kVector>{shape, y, dy}, width, {memory.folded, width, false},
             memory.groups);
}

}  // namespace

bool FoldsConv1d(const Conv1dShape& shape, int64_t batch, const SequenceInput& input) {
  return input.x == nullptr && input.vocabulary <= FoldRows(shape, batch);
}

size_t FoldedConv1dScratchBytes(const Conv1dShape& shape, int64_t largest, bool training) {
  // A batch too large to be folded may be followed by a smaller one.
  const int64_t batch = std::min<int64_t>(largest, INT32_MAX / shape.steps);
  const int64_t rows = FoldRows(shape, batch);
  return rows == 0 ? 0 : FoldMemory(shape, batch, rows, training, nullptr).placement.bytes();
}

void FoldedConv1dForward(const CudaContext& context, const Conv1dShape& shape, int64_t batch,
                         const SequenceInput& input, const Conv1dWeights& weights, float* y, void* scratch) {
  const FoldMemory memory(shape, batch, input.vocabulary, false, scratch);
  PutTapsSideBySide(context, shape, weights.kernel, memory.kernel);
  FoldTable(context, shape, input, memory);
  const bool vectors = ReadsInFours(y, shape.filters) && ReadsInFours(weights.bias, shape.filters);
  (vectors ? &SumTaps<4> : &SumTaps<1>)(context, shape, batch, input.tokens, memory.folded, weights.bias, y);
}

void FoldedConv1dBackward(const CudaContext& context, const Conv1dShape& shape, int64_t batch,
                          const SequenceInput& input, const Conv1dWeights& weights, const float* y, float* dy,
                          const Conv1dGradients& gradients, float* dtable, void* scratch) {
  const int64_t rows = batch * shape.out_steps, width = shape.taps * shape.filters;
  const bool relu = shape.activation == Activation::kRelu;
  if (!relu && shape.activation != Activation::kLinear) {
    ActivationBackward(context, shape.activation, rows, shape.filters, y, dy, dy);
  }
  const FoldMemory memory(shape, batch, input.vocabulary, true, scratch);
  const TokenOrder order = GroupTokens(context, input.tokens, batch * shape.steps, input.vocabulary, memory.groups);
  Zero(context, memory.folded, static_cast<size_t>(input.vocabulary * width) * sizeof(float));
  const bool vectors = ReadsInFours(dy, shape.filters) && (!relu || ReadsInFours(y, shape.filters));
  const auto sum_gradients = relu ? (vectors ? &SumGradients<true, 4> : &SumGradients<true, 1>)
                                  : (vectors ? &SumGradients<false, 4> : &SumGradients<false, 1>);
  sum_gradients(context, shape, order, y, dy, memory);

  if (gradients.bias != nullptr) {
    ColumnSums(context, memory.folded + TapWithinSequence(shape) * shape.filters, input.vocabulary, shape.filters,
               width, gradients.bias);
  }
  if (gradients.kernel != nullptr) {
    MultiplyKernelGradient(context, shape, input, memory);
    PutTapsApart(context, shape, memory.gradient, gradients.kernel);
  }
  if (dtable != nullptr) {
    PutTapsSideBySide(context, shape, weights.kernel, memory.kernel);
    MultiplyTableGradient(context, shape, input, memory, dtable);
  }
}

}  // namespace slim::cuda
