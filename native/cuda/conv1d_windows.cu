#include <algorithm>

#include "cuda/conv1d_operand.h"
#include "cuda/conv1d_taps.h"
#include "cuda/conv1d_windows.h"
#include "cuda/division.h"
#include "cuda/elementwise.h"
#include "cuda/placement.h"
#include "cuda/product.h"
#include "cuda/vector_access.h"

namespace slim::cuda {
namespace {

// Windows of whole samples, a part of the batch at a time: no more, unless of one sample, than twice what the
// second-level cache holds, so that most of what is written is there when it is read.
struct WindowParts {
  int64_t samples;  // of a part, but for the last
  size_t bytes;     // enough for any smaller batch too

  WindowParts(const CudaContext& context, int64_t batch, int64_t rows_per_sample, int64_t width) {
    const size_t sample_bytes = static_cast<size_t>(rows_per_sample * width) * sizeof(float);
    const size_t fitting = 2 * context.device.l2_bytes / std::max<size_t>(1, sample_bytes);
    const int64_t most = std::clamp<int64_t>(static_cast<int64_t>(fitting), 1, std::max<int64_t>(1, batch));
    const int64_t parts = std::max<int64_t>(1, (batch + most - 1) / most);
    samples = (batch + parts - 1) / parts;
    bytes = AlignedBytes(static_cast<size_t>(most) * sample_bytes);
  }
};

WindowParts PartsOfInput(const CudaContext& context, const Conv1dShape& shape, int64_t batch) {
  return {context, batch, shape.out_steps, shape.taps * shape.channels};
}

WindowParts PartsOfGradient(const CudaContext& context, const Conv1dShape& shape, int64_t batch) {
  return {context, batch, shape.steps, shape.taps * shape.filters};
}

// --- windows ---------------------------------------------------------------------------------------------------------

// kVector neighbours of [B * T out, taps, C]: the row that an output row sees through a tap.
template <int kVector>
struct WindowOfInput {
  WindowSource source;
  float* windows;

  __device__ void operator()(int64_t i) const {
    const Conv1dShape& shape = source.shape;
    int64_t place, part, row, tap, sample, t;
    DivideBy(i, shape.channels / kVector, &place, &part);
    DivideBy(place, shape.taps, &row, &tap);
    DivideBy(row, shape.out_steps, &sample, &t);
    const int64_t step = t * shape.stride - shape.pad_left + tap * shape.dilation;
    const float* at = source.At(sample * shape.steps, step, part * kVector);
    float values[kVector] = {};
    if (at != nullptr) LoadVector<kVector>(at, values);
    StoreVector<kVector>(values, windows + i * kVector);
  }
};

// kVector neighbours of [B * T, taps, F]: the gradient of the output row that sees a row through a tap.
template <int kVector>
struct WindowOfGradient {
  Conv1dShape shape;
  const float* dy;
  float* windows;

  __device__ void operator()(int64_t i) const {
    int64_t place, part, row, tap, sample, step;
    DivideBy(i, shape.filters / kVector, &place, &part);
    DivideBy(place, shape.taps, &row, &tap);
    DivideBy(row, shape.steps, &sample, &step);
    const int64_t ahead = step + shape.pad_left - tap * shape.dilation;
    int64_t t = 0, rest = 0;
    if (ahead >= 0) DivideBy(ahead, shape.stride, &t, &rest);
    float values[kVector] = {};
    if (ahead >= 0 && rest == 0 && t < shape.out_steps) {
      LoadVector<kVector>(dy + (sample * shape.out_steps + t) * shape.filters + part * kVector, values);
    }
    StoreVector<kVector>(values, windows + i * kVector);
  }
};

template <int kVector>
void WriteInputWindows(const CudaContext& context, const WindowSource& source, int64_t samples, float* windows) {
  const Conv1dShape& shape = source.shape;
  ForEachElement(context, samples * shape.out_steps * shape.taps * (shape.channels / kVector),
                 WindowOfInput<kVector>{source, windows});
}

template <int kVector>
void WriteGradientWindows(const CudaContext& context, const Conv1dShape& shape, const float* dy, int64_t samples,
                          float* windows) {
  ForEachElement(context, samples * shape.steps * shape.taps * (shape.filters / kVector),
                 WindowOfGradient<kVector>{shape, dy, windows});
}

SequenceInput From(const Conv1dShape& shape, SequenceInput input, int64_t sample) {
  if (input.x != nullptr) {
    input.x += sample * shape.steps * shape.channels;
  } else {
    input.tokens += sample * shape.steps;
  }
  return input;
}

// run(first, samples) for each part of the batch, its windows written.
template <class Run>
void WithInputWindows(const CudaContext& context, const Conv1dShape& shape, int64_t batch, const SequenceInput& input,
                      float* windows, const Run& run) {
  const float* rows = input.x != nullptr ? input.x : input.table;
  const auto write = ReadsInFours(rows, shape.channels) ? &WriteInputWindows<4> : &WriteInputWindows<1>;
  const int64_t step = PartsOfInput(context, shape, batch).samples;
  for (int64_t first = 0; first < batch; first += step) {
    const int64_t samples = std::min(step, batch - first);
    write(context, {shape, From(shape, input, first)}, samples, windows);
    run(first, samples);
  }
}

}  // namespace

bool WritesWindows(const CudaContext& context, int64_t columns) {
  constexpr int64_t kLeastColumns = 96;
  return context.cublaslt != nullptr && context.precision == Precision::kFloat32 && columns >= kLeastColumns;
}

size_t WrittenWindowsBytes(const CudaContext& context, const Conv1dShape& shape, int64_t batch) {
  return PartsOfInput(context, shape, batch).bytes;
}

size_t WrittenGradientWindowsBytes(const CudaContext& context, const Conv1dShape& shape, int64_t batch) {
  const size_t kernel = AlignedBytes(static_cast<size_t>(shape.taps * shape.channels * shape.filters) * sizeof(float));
  return PartsOfGradient(context, shape, batch).bytes + kernel;
}

void MultiplyWrittenWindows(const CudaContext& context, const Conv1dShape& shape, int64_t batch,
                            const SequenceInput& input, const Conv1dWeights& weights, float* y, void* scratch) {
  const int64_t width = shape.taps * shape.channels;
  auto* windows = static_cast<float*>(scratch);
  WithInputWindows(context, shape, batch, input, windows, [&](int64_t first, int64_t samples) {
    ProductShape product = ProductNN(samples * shape.out_steps, shape.filters, width);
    product.epilogue = LayerEpilogue(weights.bias, shape.activation);
    // The epilogues that read the bias do not write it.
    Multiply(context, product,
             {windows, weights.kernel, y + first * shape.out_steps * shape.filters, const_cast<float*>(weights.bias)});
  });
}

void WrittenKernelGradient(const CudaContext& context, const Conv1dShape& shape, int64_t batch,
                           const SequenceInput& input, const float* dy, float* dkernel, void* scratch) {
  const int64_t width = shape.taps * shape.channels;
  auto* windows = static_cast<float*>(scratch);
  WithInputWindows(context, shape, batch, input, windows, [&](int64_t first, int64_t samples) {
    ProductShape product = ProductTN(width, shape.filters, samples * shape.out_steps);
    product.accumulate = first > 0;
    Multiply(context, product, {windows, dy + first * shape.out_steps * shape.filters, dkernel, nullptr});
  });
}

void WrittenInputGradient(const CudaContext& context, const Conv1dShape& shape, int64_t batch, const float* kernel,
                          const float* dy, float* dx, void* scratch) {
  const int64_t width = shape.taps * shape.filters;
  const WindowParts parts = PartsOfGradient(context, shape, batch);
  auto* windows = static_cast<float*>(scratch);
  float* side_by_side = windows + parts.bytes / sizeof(float);
  PutTapsSideBySide(context, shape, kernel, side_by_side);
  const auto write = ReadsInFours(dy, shape.filters) ? &WriteGradientWindows<4> : &WriteGradientWindows<1>;
  for (int64_t first = 0; first < batch; first += parts.samples) {
    const int64_t samples = std::min(parts.samples, batch - first);
    write(context, shape, dy + first * shape.out_steps * shape.filters, samples, windows);
    Multiply(context, ProductNT(samples * shape.steps, shape.channels, width),
             {windows, side_by_side, dx + first * shape.steps * shape.channels, nullptr});
  }
}

}  // namespace slim::cuda
