#include "cpu/conv1d.h"

#include <algorithm>
#include <cstring>

#include "cpu/activation.h"
#include "cpu/column_sums.h"
#include "cpu/embedding.h"
#include "cpu/memory.h"
#include "cpu/memory_operations.h"
#include "cpu/parallel_range.h"
#include "cpu/product.h"

namespace slim {
namespace {

// Output rows that one task computes: what it reads of the input stays in the second-level cache.
constexpr int64_t kBlockRows = 192;

size_t Size(int64_t value) { return static_cast<size_t>(value); }

// Input rows that `out_rows` neighbouring output rows read.
int64_t SpanRows(const Conv1dShape& shape, int64_t out_rows) {
  return (out_rows - 1) * shape.stride + (shape.taps - 1) * shape.dilation + 1;
}

// The first input row that an output row reads; negative within the padding.
int64_t FirstInputRow(const Conv1dShape& shape, int64_t out_row) { return out_row * shape.stride - shape.pad_left; }

int64_t Blocks(int64_t rows) { return (rows + kBlockRows - 1) / kBlockRows; }

// Output rows whose row for a tap lies within the sequence.
struct TapRows {
  int64_t begin;
  int64_t end;
  int64_t first_input;  // the input row of `begin`
};

TapRows RowsOfTap(const Conv1dShape& shape, int64_t tap) {
  const int64_t offset = tap * shape.dilation - shape.pad_left;
  const int64_t begin = offset >= 0 ? 0 : (-offset + shape.stride - 1) / shape.stride;
  const int64_t last = shape.steps - 1 - offset;
  const int64_t end = last < 0 ? 0 : std::min(shape.out_steps, last / shape.stride + 1);
  return {begin, std::max(begin, end), begin * shape.stride + offset};
}

// Whether no output row reads outside the sequence.
bool ReadsNoPadding(const Conv1dShape& shape) {
  return shape.pad_left == 0 && FirstInputRow(shape, shape.out_steps - 1) + SpanRows(shape, 1) <= shape.steps;
}

// The kernel as right operand: all taps in one matrix where their rows are neighbours in memory, else one a tap.
struct PackedKernel {
  PackedKernel(const Conv1dShape& shape, const float* kernel, float* storage) {
    const size_t channels = Size(shape.channels), filters = Size(shape.filters);
    if (shape.dilation == 1) {
      whole = Pack(kernel, filters, Size(shape.taps) * channels, filters, storage);
    } else {
      tap_stride = PackedSize(channels, filters);
      for (size_t tap = 0; tap < Size(shape.taps); ++tap) {
        first_tap = Pack(kernel + tap * channels * filters, filters, channels, filters, storage + tap * tap_stride);
      }
      first_tap.data = storage;
    }
  }

  static size_t Floats(const Conv1dShape& shape) {
    const size_t channels = Size(shape.channels), filters = Size(shape.filters), taps = Size(shape.taps);
    return shape.dilation == 1 ? PackedSize(taps * channels, filters) : taps * PackedSize(channels, filters);
  }

  PackedMatrix Tap(int64_t tap) const {
    PackedMatrix matrix = first_tap;
    matrix.data += Size(tap) * tap_stride;
    return matrix;
  }

  PackedMatrix whole;
  PackedMatrix first_tap;
  size_t tap_stride = 0;
};

// Brings the input rows [begin, begin + count) of a sequence together; rows outside the sequence are zero.
void CopyRows(const Conv1dShape& shape, const SequenceInput& input, int64_t sample, int64_t begin, int64_t count,
              float* rows) {
  const size_t channels = Size(shape.channels);
  for (int64_t i = 0; i < count; ++i, rows += channels) {
    const int64_t step = begin + i;
    if (step < 0 || step >= shape.steps) {
      std::fill_n(rows, channels, 0.0f);
      continue;
    }
    const int64_t position = sample * shape.steps + step;
    const float* row = input.x != nullptr ? input.x + position * shape.channels
                                          : input.table + int64_t{input.tokens[position]} * shape.channels;
    std::memcpy(rows, row, channels * sizeof(float));
  }
}

// Output rows [begin, end) of a sequence from the input rows they read.
void MultiplyRows(const Conv1dShape& shape, const PackedKernel& kernel, const float* bias, const float* rows,
                  int64_t count, float* y) {
  Product product;
  product.a.data = rows;
  product.a.stride = Size(shape.stride * shape.channels);
  product.rows = Size(count);
  product.bias = bias;
  product.c = y;
  product.c_stride = Size(shape.filters);
  if (shape.dilation == 1) {
    product.b = kernel.whole;
    product.activation = shape.activation;
    MultiplyPart(product, 0, product.rows, 0, product.b.Panels());
    return;
  }
  for (int64_t tap = 0; tap < shape.taps; ++tap) {
    product.b = kernel.Tap(tap);
    product.activation = tap + 1 == shape.taps ? shape.activation : Activation::kLinear;
    MultiplyPart(product, 0, product.rows, 0, product.b.Panels());
    product.a.data += shape.dilation * shape.channels;
    product.accumulate = true;
    product.bias = nullptr;
  }
}

size_t RowBufferFloats(const Conv1dShape& shape) {
  return Size(SpanRows(shape, std::min(kBlockRows, shape.out_steps)) * shape.channels);
}

// --- the gradient of the input ---------------------------------------------------------------------------------------

// With stride and dilation 1, dx is a convolution of dy with the kernel reversed and transposed, too:
//   dx[r] = sum over tap of dy[r + pad_left - tap] W_tap^T.
bool IsConvolutionOfGradient(const Conv1dShape& shape) { return shape.stride == 1 && shape.dilation == 1; }

size_t ReversedKernelFloats(const Conv1dShape& shape) {
  return IsConvolutionOfGradient(shape) ? PackedSize(Size(shape.taps * shape.filters), Size(shape.channels))
                                        : Size(shape.taps) * PackedSize(Size(shape.filters), Size(shape.channels));
}

size_t GradientBufferFloats(const Conv1dShape& shape) {
  return IsConvolutionOfGradient(shape) ? Size((kBlockRows + shape.taps - 1) * shape.filters) : 0;
}

// [channels, taps * filters], the taps in falling order; packing it transposed gives the right operand.
void ReverseKernel(const Conv1dShape& shape, const float* kernel, float* reversed) {
  const size_t filters = Size(shape.filters);
  for (int64_t channel = 0; channel < shape.channels; ++channel) {
    for (int64_t tap = shape.taps - 1; tap >= 0; --tap, reversed += filters) {
      std::memcpy(reversed, kernel + (tap * shape.channels + channel) * shape.filters, filters * sizeof(float));
    }
  }
}

void ConvolveGradient(ThreadPool& pool, const Conv1dShape& shape, int64_t batch, const float* kernel, const float* dy,
                      float* dx, Arena& arena) {
  const size_t channels = Size(shape.channels), filters = Size(shape.filters), taps = Size(shape.taps);
  float* reversed = arena.Take<float>(channels * taps * filters);
  ReverseKernel(shape, kernel, reversed);
  const PackedMatrix packed = PackTransposed(reversed, taps * filters, taps * filters, channels,
                                             arena.Take<float>(PackedSize(taps * filters, channels)));
  const size_t buffer_floats = GradientBufferFloats(shape);
  float* buffers = arena.Take<float>(buffer_floats * Size(pool.threads()));
  const int64_t blocks = Blocks(shape.steps);
  pool.ParallelFor(Size(batch * blocks), [&](size_t task, int worker) {
    const int64_t sample = static_cast<int64_t>(task) / blocks;
    const int64_t begin = static_cast<int64_t>(task) % blocks * kBlockRows;
    const int64_t count = std::min(kBlockRows, shape.steps - begin);
    const int64_t first = begin + shape.pad_left - (shape.taps - 1);
    const int64_t span = count + shape.taps - 1;
    const float* sequence = dy + sample * shape.out_steps * shape.filters;
    const float* rows = sequence + first * shape.filters;
    if (first < 0 || first + span > shape.out_steps) {
      float* buffer = buffers + Size(worker) * buffer_floats;
      const int64_t from = std::clamp<int64_t>(first, 0, shape.out_steps);
      const int64_t to = std::clamp<int64_t>(first + span, 0, shape.out_steps);
      std::fill_n(buffer, Size(from - first) * filters, 0.0f);
      std::memcpy(buffer + (from - first) * shape.filters, sequence + from * shape.filters,
                  Size(to - from) * filters * sizeof(float));
      std::fill_n(buffer + (to - first) * shape.filters, Size(first + span - to) * filters, 0.0f);
      rows = buffer;
    }
    Product product;
    product.a.data = rows;
    product.a.stride = filters;
    product.rows = Size(count);
    product.b = packed;
    product.c = dx + (sample * shape.steps + begin) * shape.channels;
    product.c_stride = channels;
    MultiplyPart(product, 0, product.rows, 0, packed.Panels());
  });
}

// Any stride and dilation: tap by tap, onto the rows that it read.
void ScatterGradient(ThreadPool& pool, const Conv1dShape& shape, int64_t batch, const float* kernel, const float* dy,
                     float* dx, Arena& arena) {
  const size_t channels = Size(shape.channels), filters = Size(shape.filters);
  const size_t tap_floats = PackedSize(filters, channels);
  float* storage = arena.Take<float>(tap_floats * Size(shape.taps));
  PackedMatrix packed;
  for (size_t tap = 0; tap < Size(shape.taps); ++tap) {
    packed = PackTransposed(kernel + tap * channels * filters, filters, filters, channels, storage + tap * tap_floats);
  }
  pool.ParallelFor(Size(batch), [&](size_t sample, int) {
    float* sequence = dx + sample * Size(shape.steps) * channels;
    std::fill_n(sequence, Size(shape.steps) * channels, 0.0f);
    for (int64_t tap = 0; tap < shape.taps; ++tap) {
      const TapRows range = RowsOfTap(shape, tap);
      if (range.begin == range.end) continue;
      Product product;
      product.a.data = dy + (sample * Size(shape.out_steps) + Size(range.begin)) * filters;
      product.a.stride = filters;
      product.rows = Size(range.end - range.begin);
      product.b = packed;
      product.b.data = storage + Size(tap) * tap_floats;
      product.accumulate = true;
      product.c = sequence + Size(range.first_input) * channels;
      product.c_stride = Size(shape.stride) * channels;
      MultiplyPart(product, 0, product.rows, 0, packed.Panels());
    }
  });
}

size_t InputGradientBytes(const Conv1dShape& shape, int threads) {
  const size_t reversed = IsConvolutionOfGradient(shape) ? Size(shape.channels * shape.taps * shape.filters) : 0;
  return Arena::BytesOf<float>(reversed) + Arena::BytesOf<float>(ReversedKernelFloats(shape)) +
         Arena::BytesOf<float>(GradientBufferFloats(shape) * Size(threads));
}

void InputGradient(ThreadPool& pool, const Conv1dShape& shape, int64_t batch, const float* kernel, const float* dy,
                   float* dx, Arena& arena) {
  const size_t mark = arena.used();
  if (IsConvolutionOfGradient(shape)) {
    ConvolveGradient(pool, shape, batch, kernel, dy, dx, arena);
  } else {
    ScatterGradient(pool, shape, batch, kernel, dy, dx, arena);
  }
  arena.Rewind(mark);
}

// --- the gradient of the kernel --------------------------------------------------------------------------------------

size_t KernelGradientBytes(const Conv1dShape& shape, int64_t batch, int threads) {
  const size_t rows = Size(batch * shape.out_steps);
  const size_t depth =
      Size(ReadsNoPadding(shape) && shape.dilation == 1 ? shape.taps * shape.channels : shape.channels);
  return Arena::BytesOf<RowRun>(Size(batch)) +
         AlignedBytes(WeightGradientScratchBytes(depth, Size(shape.filters), rows, threads));
}

void GradientOfTaps(ThreadPool& pool, const Conv1dShape& shape, int64_t batch, const float* x, const float* dy,
                    const TapRows& range, size_t depth, float* dw, Arena& arena) {
  const size_t mark = arena.used();
  const size_t rows = Size(range.end - range.begin);
  RowRun* runs = arena.Take<RowRun>(Size(batch));
  for (int64_t sample = 0; sample < batch; ++sample) {
    runs[sample].a = x + (sample * shape.steps + range.first_input) * shape.channels;
    runs[sample].dy = dy + (sample * shape.out_steps + range.begin) * shape.filters;
    runs[sample].rows = rows;
  }
  WeightGradient gradient;
  gradient.runs = runs;
  gradient.run_count = rows == 0 ? 0 : Size(batch);
  gradient.a_stride = Size(shape.stride * shape.channels);
  gradient.dy_stride = Size(shape.filters);
  gradient.depth = depth;
  gradient.columns = Size(shape.filters);
  gradient.dw = dw;
  gradient.dw_stride = Size(shape.filters);
  const size_t bytes = WeightGradientScratchBytes(depth, gradient.columns, rows * Size(batch), pool.threads());
  ComputeWeightGradient(gradient, pool, arena.Take<uint8_t>(bytes));
  arena.Rewind(mark);
}

void KernelGradient(ThreadPool& pool, const Conv1dShape& shape, int64_t batch, const float* x, const float* dy,
                    float* dkernel, Arena& arena) {
  if (ReadsNoPadding(shape) && shape.dilation == 1) {
    const TapRows all{0, shape.out_steps, 0};
    GradientOfTaps(pool, shape, batch, x, dy, all, Size(shape.taps * shape.channels), dkernel, arena);
    return;
  }
  for (int64_t tap = 0; tap < shape.taps; ++tap) {
    float* dw = dkernel + tap * shape.channels * shape.filters;
    GradientOfTaps(pool, shape, batch, x, dy, RowsOfTap(shape, tap), Size(shape.channels), dw, arena);
  }
}

// --- scratch ---------------------------------------------------------------------------------------------------------

size_t ForwardBytes(const Conv1dShape& shape, int threads) {
  return Arena::BytesOf<float>(PackedKernel::Floats(shape)) +
         Arena::BytesOf<float>(RowBufferFloats(shape) * Size(threads));
}

EmbeddingShape EmbeddingOf(const Conv1dShape& shape, int64_t vocabulary) {
  return {shape.steps, vocabulary, shape.channels};
}

}  // namespace

size_t Conv1dScratchBytes(const Conv1dShape& shape, int64_t batch, bool embedded, bool training, int threads) {
  size_t bytes = ForwardBytes(shape, threads);
  if (!training) return bytes;
  const size_t gradients = std::max(KernelGradientBytes(shape, batch, threads), InputGradientBytes(shape, threads));
  const size_t rows = embedded ? Arena::BytesOf<float>(Size(batch * shape.steps * shape.channels)) : 0;
  return std::max(bytes, rows + gradients);
}

void Conv1dForward(ThreadPool& pool, const Conv1dShape& shape, int64_t batch, const SequenceInput& input,
                   const Conv1dWeights& weights, float* y, void* scratch) {
  Arena arena(scratch, ForwardBytes(shape, pool.threads()));
  const PackedKernel kernel(shape, weights.kernel, arena.Take<float>(PackedKernel::Floats(shape)));
  const size_t buffer_floats = RowBufferFloats(shape);
  float* buffers = arena.Take<float>(buffer_floats * Size(pool.threads()));
  const int64_t blocks = Blocks(shape.out_steps);
  pool.ParallelFor(Size(batch * blocks), [&](size_t task, int worker) {
    const int64_t sample = static_cast<int64_t>(task) / blocks;
    const int64_t begin = static_cast<int64_t>(task) % blocks * kBlockRows;
    const int64_t count = std::min(kBlockRows, shape.out_steps - begin);
    const int64_t first = FirstInputRow(shape, begin);
    const int64_t span = SpanRows(shape, count);
    const float* rows;
    if (input.x != nullptr && first >= 0 && first + span <= shape.steps) {
      rows = input.x + (sample * shape.steps + first) * shape.channels;
    } else {
      float* buffer = buffers + Size(worker) * buffer_floats;
      CopyRows(shape, input, sample, first, span, buffer);
      rows = buffer;
    }
    MultiplyRows(shape, kernel, weights.bias, rows, count, y + (sample * shape.out_steps + begin) * shape.filters);
  });
}

void Conv1dBackward(ThreadPool& pool, const Conv1dShape& shape, int64_t batch, const SequenceInput& input,
                    const Conv1dWeights& weights, const float* y, float* dy, const Conv1dGradients& gradients,
                    const SequenceGradient& dinput, void* scratch) {
  Arena arena(scratch, Conv1dScratchBytes(shape, batch, input.x == nullptr, true, pool.threads()));
  const size_t outputs = Size(batch * shape.out_steps * shape.filters);
  if (shape.activation != Activation::kLinear) {
    ParallelRange(pool, outputs, kElementsPerTask, [&](size_t begin, size_t end) {
      MultiplyByDerivative(shape.activation, static_cast<int64_t>(end - begin), y + begin, dy + begin, dy + begin);
    });
  }
  if (gradients.bias != nullptr) {
    ColumnSums(pool, dy, Size(batch * shape.out_steps), Size(shape.filters), gradients.bias);
  }
  if (gradients.kernel != nullptr) {
    const float* x = input.x;
    if (x == nullptr) {
      float* rows = arena.Take<float>(Size(batch * shape.steps * shape.channels));
      EmbeddingForward(pool, EmbeddingOf(shape, input.vocabulary), batch, input.tokens, input.table, rows);
      x = rows;
    }
    KernelGradient(pool, shape, batch, x, dy, gradients.kernel, arena);
    arena.Rewind(0);
  }
  if (dinput.dx != nullptr) {
    InputGradient(pool, shape, batch, weights.kernel, dy, dinput.dx, arena);
  }
}

}  // namespace slim
