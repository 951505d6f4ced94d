#include <algorithm>
#include <utility>

#include "cpu/activation.h"
#include "cpu/column_sums.h"
#include "cpu/conv1d_forward.h"
#include "cpu/conv1d_geometry.h"
#include "cpu/conv1d_gradient.h"
#include "cpu/product.h"

namespace slim {
namespace {

// --- the gradient of the pre-activations -----------------------------------------------------------------------------

// The batch is cut into slices that depend on its size alone; each has sums of its own, which are added up in order.
constexpr int64_t kMostSlices = 32;

size_t SliceBytes(const Conv1dShape& shape) { return 2 * Arena::BytesOf<float>(Size(kMostSlices * shape.filters)); }

// dy becomes the gradient of the pre-activations, and zero where the output rows read token 0 alone: of those only the
// sum is kept.
void DifferentiateSequence(const Conv1dGradientTask& task, int64_t sample, float* bias_sums, float* padding_sums,
                           float* spare) {
  const Conv1dShape& shape = task.shape;
  const size_t filters = Size(shape.filters);
  const RowClasses classes = ClassifyRows(shape, TokensOf(shape, task.input, sample));
  const float* y = task.y + sample * shape.out_steps * shape.filters;
  float* dy = task.dy + sample * shape.out_steps * shape.filters;
  for (const RowRange& range : classes.plain) {
    if (range.Empty()) continue;
    const int64_t at = range.begin * shape.filters;
    if (shape.activation != Activation::kLinear) {
      MultiplyByDerivative(shape.activation, range.Count() * shape.filters, y + at, dy + at, dy + at);
    }
    AddColumnSums(dy + at, Size(range.Count()), filters, filters, bias_sums);
  }
  for (const RowRange& range : classes.padding) {
    if (range.Empty()) continue;
    const int64_t at = range.begin * shape.filters;
    std::fill_n(spare, filters, 0.0f);
    AddColumnSums(dy + at, Size(range.Count()), filters, filters, spare);
    MultiplyByDerivative(shape.activation, shape.filters, y + at, spare, spare);
    AddColumnSums(spare, 1, filters, filters, bias_sums);
    AddColumnSums(spare, 1, filters, filters, padding_sums);
    std::fill_n(dy + at, Size(range.Count()) * filters, 0.0f);
  }
}

void Differentiate(ThreadPool& pool, const Conv1dGradientTask& task, Arena& arena) {
  const size_t filters = Size(task.shape.filters);
  const int64_t slices = std::min(kMostSlices, task.batch);
  float* bias_sums = arena.Take<float>(Size(kMostSlices) * filters);
  float* padding_sums = arena.Take<float>(Size(kMostSlices) * filters);
  float* spare = arena.Take<float>(Size(pool.threads()) * filters);
  pool.ParallelFor(Size(slices), [&](size_t number, int worker) {
    const int64_t slice = static_cast<int64_t>(number);
    float* bias = bias_sums + number * filters;
    float* padding = padding_sums + number * filters;
    std::fill_n(bias, filters, 0.0f);
    std::fill_n(padding, filters, 0.0f);
    for (int64_t sample = slice * task.batch / slices; sample < (slice + 1) * task.batch / slices; ++sample) {
      DifferentiateSequence(task, sample, bias, padding, spare + Size(worker) * filters);
    }
  });
  const auto join = [&](const float* sums, float* total) {
    if (total == nullptr) return;
    std::fill_n(total, filters, 0.0f);
    AddColumnSums(sums, Size(slices), filters, filters, total);
  };
  pool.ParallelFor(1, [&](size_t, int) {
    join(bias_sums, task.gradients.bias);
    join(padding_sums, task.padding_sums);
  });
}

// --- the gradient of the kernel --------------------------------------------------------------------------------------

// The rows of all taps can meet in one product.
bool TapsAreNeighbours(const Conv1dShape& shape) { return ReadsNoPadding(shape) && shape.dilation == 1; }

size_t GradientDepth(const Conv1dShape& shape) {
  return Size(TapsAreNeighbours(shape) ? shape.taps * shape.channels : shape.channels);
}

size_t MostRuns(int64_t batch) { return Size(3 * batch); }

size_t KernelGradientBytes(const Conv1dShape& shape, int64_t batch, int threads) {
  const size_t rows = Size(batch * shape.out_steps);
  return Arena::BytesOf<RowRun>(MostRuns(batch)) +
         AlignedBytes(WeightGradientScratchBytes(GradientDepth(shape), Size(shape.filters), rows, threads));
}

// Of the output rows within `rows`; `x` is where the input row of output row 0 would begin for the tap.
void AddTaps(ThreadPool& pool, const Conv1dGradientTask& task, const float* x, int64_t tap_offset, RowRange rows,
             float* dw, Arena& arena) {
  const Conv1dShape& shape = task.shape;
  const size_t mark = arena.used();
  RowRun* runs = arena.Take<RowRun>(MostRuns(task.batch));
  size_t count = 0, all_rows = 0;
  for (int64_t sample = 0; sample < task.batch; ++sample) {
    for (const RowRange& plain : ClassifyRows(shape, TokensOf(shape, task.input, sample)).plain) {
      const RowRange range = {std::max(plain.begin, rows.begin), std::min(plain.end, rows.end)};
      if (range.Empty()) continue;
      const int64_t input_row = sample * shape.steps + range.begin * shape.stride + tap_offset;
      runs[count].a = x + input_row * shape.channels;
      runs[count].dy = task.dy + (sample * shape.out_steps + range.begin) * shape.filters;
      runs[count].rows = Size(range.Count());
      all_rows += runs[count++].rows;
    }
  }
  WeightGradient gradient;
  gradient.runs = runs;
  gradient.run_count = count;
  gradient.a_stride = Size(shape.stride * shape.channels);
  gradient.dy_stride = Size(shape.filters);
  gradient.depth = GradientDepth(shape);
  gradient.columns = Size(shape.filters);
  gradient.dw = dw;
  gradient.dw_stride = Size(shape.filters);
  const size_t bytes = WeightGradientScratchBytes(gradient.depth, gradient.columns, all_rows, pool.threads());
  ComputeWeightGradient(gradient, pool, arena.Take<uint8_t>(bytes));
  arena.Rewind(mark);
}

void ComputeKernelGradient(ThreadPool& pool, const Conv1dGradientTask& task, const float* x, Arena& arena) {
  const Conv1dShape& shape = task.shape;
  float* dkernel = task.gradients.kernel;
  if (TapsAreNeighbours(shape)) {
    AddTaps(pool, task, x, 0, {0, shape.out_steps}, dkernel, arena);
    return;
  }
  for (int64_t tap = 0; tap < shape.taps; ++tap) {
    float* dw = dkernel + tap * shape.channels * shape.filters;
    AddTaps(pool, task, x, tap * shape.dilation - shape.pad_left, RowsOfTap(shape, tap), dw, arena);
  }
}

// The rows behind an embedding that plain output rows read, each at its place in [B, T, C].
void GatherInput(ThreadPool& pool, const Conv1dGradientTask& task, float* rows) {
  const Conv1dShape& shape = task.shape;
  pool.ParallelFor(Size(task.batch), [&](size_t number, int) {
    const int64_t sample = static_cast<int64_t>(number);
    const RowClasses classes = ClassifyRows(shape, TokensOf(shape, task.input, sample));
    for (const RowRange& range : RowsRead(shape, classes).ranges) {
      CopyRows(shape, task.input, sample, range.begin, range.Count(), Size(shape.channels),
               rows + (sample * shape.steps + range.begin) * shape.channels);
    }
  });
}

// --- the gradient of the input ---------------------------------------------------------------------------------------

// With stride and dilation 1, dx is a convolution of dy with the kernel reversed and transposed, too:
//   dx[r] = sum over tap of dy[r + pad_left - tap] W_tap^T.
bool IsConvolutionOfGradient(const Conv1dShape& shape) { return shape.stride == 1 && shape.dilation == 1; }

Conv1dShape ShapeOfGradient(const Conv1dShape& shape) {
  Conv1dShape gradient = shape;
  std::swap(gradient.steps, gradient.out_steps);
  std::swap(gradient.channels, gradient.filters);
  gradient.pad_left = shape.taps - 1 - shape.pad_left;
  gradient.activation = Activation::kLinear;
  return gradient;
}

size_t MostGradientBlocks(const Conv1dShape& shape, int64_t batch) {
  return MostBlocks(ShapeOfGradient(shape), batch, kConvolutionBlockRows);
}

size_t InputGradientBytes(const Conv1dShape& shape, int64_t batch, int threads) {
  const size_t channels = Size(shape.channels), filters = Size(shape.filters), taps = Size(shape.taps);
  if (!IsConvolutionOfGradient(shape)) return Arena::BytesOf<float>(taps * PackedSize(filters, channels));
  return Arena::BytesOf<float>(channels * taps * filters) + Arena::BytesOf<RowBlock>(MostGradientBlocks(shape, batch)) +
         ConvolveBlocksBytes(ShapeOfGradient(shape), threads);
}

// [taps, F, C], the taps in falling order, of a kernel [taps, C, F].
void ReverseKernel(const Conv1dShape& shape, const float* kernel, float* reversed) {
  for (int64_t tap = shape.taps - 1; tap >= 0; --tap) {
    const float* from = kernel + tap * shape.channels * shape.filters;
    for (int64_t filter = 0; filter < shape.filters; ++filter) {
      for (int64_t channel = 0; channel < shape.channels; ++channel) {
        *reversed++ = from[channel * shape.filters + filter];
      }
    }
  }
}

void ConvolveGradient(ThreadPool& pool, const Conv1dGradientTask& task, Arena& arena) {
  const Conv1dShape& shape = task.shape;
  float* reversed = arena.Take<float>(Size(shape.channels * shape.taps * shape.filters));
  ReverseKernel(shape, task.kernel, reversed);
  RowBlock* blocks = arena.Take<RowBlock>(MostGradientBlocks(shape, task.batch));
  size_t count = 0;
  for (int64_t sample = 0; sample < task.batch; ++sample) {
    const RowClasses classes = ClassifyRows(shape, TokensOf(shape, task.input, sample));
    for (const RowRange& read : RowsRead(shape, classes).ranges) {
      for (int64_t begin = read.begin; begin < read.end; begin += kConvolutionBlockRows) {
        blocks[count++] = {sample, begin, std::min(begin + kConvolutionBlockRows, read.end)};
      }
    }
  }
  SequenceInput dy;
  dy.x = task.dy;
  ConvolveBlocks(pool, ShapeOfGradient(shape), dy, {reversed, nullptr}, blocks, count, task.dx, arena);
}

// Input rows that no output row reads.
void ZeroUnreadRows(const Conv1dGradientTask& task) {
  const Conv1dShape& shape = task.shape;
  if (task.input.x == nullptr) return;
  for (int64_t sample = 0; sample < task.batch; ++sample) {
    float* sequence = task.dx + sample * shape.steps * shape.channels;
    int64_t row = 0;
    for (const RowRange& read : RowsRead(shape, ClassifyRows(shape, nullptr)).ranges) {
      if (read.Empty()) continue;
      std::fill(sequence + row * shape.channels, sequence + read.begin * shape.channels, 0.0f);
      row = read.end;
    }
    std::fill(sequence + row * shape.channels, sequence + shape.steps * shape.channels, 0.0f);
  }
}

// Any stride and dilation: tap by tap, onto the rows that it read.
void ScatterGradient(ThreadPool& pool, const Conv1dGradientTask& task, Arena& arena) {
  const Conv1dShape& shape = task.shape;
  const size_t channels = Size(shape.channels), filters = Size(shape.filters);
  const size_t tap_floats = PackedSize(filters, channels);
  float* storage = arena.Take<float>(tap_floats * Size(shape.taps));
  PackedMatrix packed;
  for (size_t tap = 0; tap < Size(shape.taps); ++tap) {
    const float* kernel = task.kernel + tap * channels * filters;
    packed = PackTransposed(kernel, filters, filters, channels, storage + tap * tap_floats);
  }
  pool.ParallelFor(Size(task.batch), [&](size_t number, int) {
    const int64_t sample = static_cast<int64_t>(number);
    float* sequence = task.dx + sample * shape.steps * shape.channels;
    std::fill_n(sequence, Size(shape.steps) * channels, 0.0f);
    for (int64_t tap = 0; tap < shape.taps; ++tap) {
      const RowRange rows = RowsOfTap(shape, tap);
      if (rows.Empty()) continue;
      const int64_t first_input = FirstInputRow(shape, rows.begin) + tap * shape.dilation;
      Product product;
      product.a.data = task.dy + (sample * shape.out_steps + rows.begin) * shape.filters;
      product.a.stride = filters;
      product.rows = Size(rows.Count());
      product.b = packed;
      product.b.data = storage + Size(tap) * tap_floats;
      product.accumulate = true;
      product.c = sequence + first_input * shape.channels;
      product.c_stride = Size(shape.stride) * channels;
      MultiplyPart(product, 0, product.rows, 0, packed.Panels());
    }
  });
}

}  // namespace

size_t DenseGradientBytes(const Conv1dShape& shape, int64_t batch, bool embedded, int threads) {
  const size_t input = embedded ? Arena::BytesOf<float>(Size(batch * shape.steps * shape.channels)) : 0;
  return SliceBytes(shape) + Arena::BytesOf<float>(Size(threads * shape.filters)) +
         std::max(input + KernelGradientBytes(shape, batch, threads), InputGradientBytes(shape, batch, threads));
}

void ComputeDenseGradient(ThreadPool& pool, const Conv1dGradientTask& task, Arena& arena) {
  const Conv1dShape& shape = task.shape;
  const size_t start = arena.used();
  Differentiate(pool, task, arena);
  const size_t mark = arena.used();
  if (task.gradients.kernel != nullptr) {
    const float* x = task.input.x;
    if (x == nullptr) {
      float* rows = arena.Take<float>(Size(task.batch * shape.steps * shape.channels));
      GatherInput(pool, task, rows);
      x = rows;
    }
    ComputeKernelGradient(pool, task, x, arena);
    arena.Rewind(mark);
  }
  if (task.dx != nullptr && IsConvolutionOfGradient(shape)) {
    ZeroUnreadRows(task);
    ConvolveGradient(pool, task, arena);
  } else if (task.dx != nullptr) {
    ScatterGradient(pool, task, arena);
  }
  arena.Rewind(start);
}

}  // namespace slim
