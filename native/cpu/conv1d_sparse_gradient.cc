#include <algorithm>

#include "cpu/activation.h"
#include "cpu/column_sums.h"
#include "cpu/conv1d_geometry.h"
#include "cpu/conv1d_gradient.h"
#include "cpu/conv1d_sparse_kernels.h"

namespace slim {
namespace {

// The batch is cut into this many slices at the most, each with sums of its own that are added up at the end. Slices
// depend on the shape alone, so neither do results depend on the number of threads.
constexpr int64_t kMostSlices = 16;
constexpr size_t kMostSliceBytes = size_t{32} << 20;

// Sums that one task adds to should stay in the second-level cache, its input rows in the first.
constexpr size_t kTaskSumBytes = size_t{384} << 10;
constexpr size_t kInputBlockBytes = size_t{24} << 10;

// Columns of dy are shared out in whole cache lines.
constexpr size_t kColumnUnit = 16;

size_t RoundUp(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

// How the kernel's gradient is computed.
struct SparsePlan {
  size_t channels_stride;  // of input rows, whole vectors
  size_t window;           // taps * channels_stride
  int64_t slices;
  int64_t block_rows;  // output rows whose elements are listed together
  size_t input_rows;   // that such a block reads
  size_t group_columns;
  size_t groups;

  SparsePlan(const Conv1dShape& shape, int64_t batch, int threads) {
    channels_stride = RoundUp(Size(shape.channels), kEntriesSlack);
    window = Size(shape.taps) * channels_stride;
    const size_t sum_bytes = Size(shape.filters) * window * sizeof(float);
    slices = std::clamp<int64_t>(static_cast<int64_t>(kMostSliceBytes / sum_bytes), 1, kMostSlices);
    slices = std::min(slices, std::max<int64_t>(batch, 1));
    const int64_t fitting =
        static_cast<int64_t>(kInputBlockBytes / sizeof(float) / channels_stride) / std::max<int64_t>(shape.stride, 1);
    block_rows = std::min(shape.out_steps, std::clamp<int64_t>(fitting, 40, 128));
    input_rows = Size(SpanRows(shape, block_rows));
    const size_t units = (Size(shape.filters) + kColumnUnit - 1) / kColumnUnit;
    const size_t by_cache = (sum_bytes + kTaskSumBytes - 1) / kTaskSumBytes;
    const size_t by_threads = (2 * Size(threads) + Size(slices) - 1) / Size(slices);
    groups = std::clamp<size_t>(std::max(by_cache, by_threads), 1, units);
    group_columns = (units + groups - 1) / groups * kColumnUnit;
    groups = (Size(shape.filters) + group_columns - 1) / group_columns;
  }

  size_t Entries() const { return group_columns * Size(block_rows); }
};

// Of each worker.
struct ColumnScratch {
  float* input;          // [input_rows, channels_stride]
  ColumnEntry* entries;  // [group_columns, block_rows]
  int32_t* counts;       // [group_columns]
  RowEntries row;

  static size_t Bytes(const SparsePlan& plan) {
    return Arena::BytesOf<float>(plan.input_rows * plan.channels_stride) + Arena::BytesOf<ColumnEntry>(plan.Entries()) +
           Arena::BytesOf<int32_t>(plan.group_columns) + Arena::BytesOf<int32_t>(plan.group_columns + kEntriesSlack) +
           Arena::BytesOf<float>(plan.group_columns + kEntriesSlack);
  }

  ColumnScratch(const SparsePlan& plan, void* memory) {
    Arena arena(memory, Bytes(plan));
    input = arena.Take<float>(plan.input_rows * plan.channels_stride);
    entries = arena.Take<ColumnEntry>(plan.Entries());
    counts = arena.Take<int32_t>(plan.group_columns);
    row = {arena.Take<int32_t>(plan.group_columns + kEntriesSlack),
           arena.Take<float>(plan.group_columns + kEntriesSlack), 0};
  }
};

// The sums of the slices.
struct SliceSums {
  float* kernel;   // [slices, F, window]
  float* bias;     // [slices, F]
  float* padding;  // [slices, F]

  static size_t Bytes(const Conv1dShape& shape, const SparsePlan& plan) {
    const size_t columns = Size(plan.slices * shape.filters);
    return Arena::BytesOf<float>(columns * plan.window) + 2 * Arena::BytesOf<float>(columns);
  }
};

// The columns of dy that a task owns, in the samples of its slice.
struct ColumnTask {
  const Conv1dGradientTask& task;
  const SparsePlan& plan;
  size_t first_column;
  size_t columns;
  float* kernel_sums;   // [columns, window]
  float* bias_sums;     // [columns]
  float* padding_sums;  // [columns]
  ColumnScratch scratch;

  // The input rows of a block, each a whole number of vectors.
  const float* InputRows(int64_t sample, int64_t begin, int64_t count) const {
    const Conv1dShape& shape = task.shape;
    const int64_t first = FirstInputRow(shape, begin);
    const int64_t span = SpanRows(shape, count);
    const bool inside = first >= 0 && first + span <= shape.steps;
    if (task.input.x != nullptr && inside && Size(shape.channels) == plan.channels_stride) {
      return task.input.x + (sample * shape.steps + first) * shape.channels;
    }
    CopyRows(shape, task.input, sample, first, span, plan.channels_stride, scratch.input);
    return scratch.input;
  }

  void AddBlock(int64_t sample, int64_t begin, int64_t end) {
    const Conv1dShape& shape = task.shape;
    const size_t at = Size((sample * shape.out_steps + begin) * shape.filters) + first_column;
    const SparseRows rows{task.dy + at, task.y + at, Size(shape.filters), Size(end - begin), columns, shape.activation};
    const int32_t row_step = static_cast<int32_t>(Size(shape.stride) * plan.channels_stride);
    ListColumns(rows, row_step, scratch.entries, scratch.counts, bias_sums, scratch.row);
    if (task.gradients.kernel == nullptr) return;
    const float* input = InputRows(sample, begin, end - begin);
    for (size_t column = 0; column < columns; ++column) {
      const size_t count = static_cast<size_t>(scratch.counts[column]);
      if (count == 0) continue;
      AddWindows(scratch.entries + column * rows.rows, count, input, plan.window, kernel_sums + column * plan.window);
    }
  }

  // Rows that are all alike but for their dy.
  void AddPadding(int64_t sample, RowRange range) {
    if (range.Empty()) return;
    const Conv1dShape& shape = task.shape;
    const size_t filters = Size(shape.filters);
    const size_t at = Size((sample * shape.out_steps + range.begin) * shape.filters) + first_column;
    float* sums = scratch.row.values;
    std::fill_n(sums, columns, 0.0f);
    AddColumnSums(task.dy + at, Size(range.Count()), columns, filters, sums);
    MultiplyByDerivative(shape.activation, static_cast<int64_t>(columns), task.y + at, sums, sums);
    AddColumnSums(sums, 1, columns, columns, padding_sums);
    AddColumnSums(sums, 1, columns, columns, bias_sums);
  }

  void Run(int64_t first_sample, int64_t end_sample) {
    std::fill_n(kernel_sums, columns * plan.window, 0.0f);
    std::fill_n(bias_sums, columns, 0.0f);
    std::fill_n(padding_sums, columns, 0.0f);
    for (int64_t sample = first_sample; sample < end_sample; ++sample) {
      const RowClasses classes = ClassifyRows(task.shape, TokensOf(task.shape, task.input, sample));
      for (const RowRange& range : classes.padding) AddPadding(sample, range);
      for (const RowRange& range : classes.plain) {
        for (int64_t begin = range.begin; begin < range.end; begin += plan.block_rows) {
          AddBlock(sample, begin, std::min(begin + plan.block_rows, range.end));
        }
      }
    }
  }
};

// Adds up the slices' sums of some filters, into those of the first slice, and writes the gradients.
void JoinSlices(const Conv1dGradientTask& task, const SparsePlan& plan, const SliceSums& sums, size_t begin,
                size_t end) {
  const size_t filters = Size(task.shape.filters), channels = Size(task.shape.channels);
  const auto join = [&](float* first, size_t width) {
    for (size_t slice = 1; slice < Size(plan.slices); ++slice) {
      AddColumnSums(first + slice * filters * width + begin * width, 1, (end - begin) * width, 0,
                    first + begin * width);
    }
  };
  join(sums.bias, 1);
  join(sums.padding, 1);
  if (task.gradients.bias != nullptr) std::copy(sums.bias + begin, sums.bias + end, task.gradients.bias + begin);
  if (task.padding_sums != nullptr) std::copy(sums.padding + begin, sums.padding + end, task.padding_sums + begin);
  if (task.gradients.kernel == nullptr) return;
  join(sums.kernel, plan.window);
  for (size_t tap = 0; tap < Size(task.shape.taps); ++tap) {
    for (size_t channel = 0; channel < channels; ++channel) {
      const float* from = sums.kernel + tap * plan.channels_stride + channel;
      float* to = task.gradients.kernel + (tap * channels + channel) * filters;
      for (size_t filter = begin; filter < end; ++filter) to[filter] = from[filter * plan.window];
    }
  }
}

size_t KernelGradientBytes(const Conv1dShape& shape, const SparsePlan& plan, int threads) {
  return SliceSums::Bytes(shape, plan) + Size(threads) * ColumnScratch::Bytes(plan);
}

void ComputeKernelGradient(ThreadPool& pool, const Conv1dGradientTask& task, Arena& arena) {
  const Conv1dShape& shape = task.shape;
  const SparsePlan plan(shape, task.batch, pool.threads());
  const size_t filters = Size(shape.filters);
  SliceSums sums;
  sums.kernel = arena.Take<float>(Size(plan.slices) * filters * plan.window);
  sums.bias = arena.Take<float>(Size(plan.slices) * filters);
  sums.padding = arena.Take<float>(Size(plan.slices) * filters);
  uint8_t* scratch = arena.Take<uint8_t>(Size(pool.threads()) * ColumnScratch::Bytes(plan));
  pool.ParallelFor(Size(plan.slices) * plan.groups, [&](size_t number, int worker) {
    const size_t slice = number / plan.groups;
    const size_t first = number % plan.groups * plan.group_columns;
    const size_t at = slice * filters + first;
    ColumnTask part{task,
                    plan,
                    first,
                    std::min(plan.group_columns, filters - first),
                    sums.kernel + at * plan.window,
                    sums.bias + at,
                    sums.padding + at,
                    ColumnScratch(plan, scratch + Size(worker) * ColumnScratch::Bytes(plan))};
    const int64_t slice_number = static_cast<int64_t>(slice);
    part.Run(slice_number * task.batch / plan.slices, (slice_number + 1) * task.batch / plan.slices);
  });
  pool.ParallelFor((filters + kColumnUnit - 1) / kColumnUnit, [&](size_t unit, int) {
    JoinSlices(task, plan, sums, unit * kColumnUnit, std::min((unit + 1) * kColumnUnit, filters));
  });
}

// --- the gradient of the input ---------------------------------------------------------------------------------------

size_t InputGradientBytes(const Conv1dShape& shape, int threads) {
  const size_t listed = Size(shape.filters) + kEntriesSlack;
  return Arena::BytesOf<float>(Size(shape.filters * shape.taps * shape.channels)) +
         Size(threads) * (Arena::BytesOf<int32_t>(listed) + Arena::BytesOf<float>(listed));
}

// [F, taps * C] of a kernel [taps * C, F]
void Transpose(ThreadPool& pool, const Conv1dShape& shape, const float* kernel, float* transposed) {
  const size_t filters = Size(shape.filters), depth = Size(shape.taps * shape.channels);
  pool.ParallelFor((filters + kColumnUnit - 1) / kColumnUnit, [&](size_t unit, int) {
    const size_t end = std::min((unit + 1) * kColumnUnit, filters);
    for (size_t k = 0; k < depth; ++k) {
      for (size_t f = unit * kColumnUnit; f < end; ++f) transposed[f * depth + k] = kernel[k * filters + f];
    }
  });
}

// Adds an output row's part to the input rows that it read.
void SpreadRow(const Conv1dGradientTask& task, int64_t sample, int64_t row, const float* transposed,
               RowEntries* entries) {
  const Conv1dShape& shape = task.shape;
  const size_t at = Size((sample * shape.out_steps + row) * shape.filters);
  const size_t filters = Size(shape.filters);
  ListRow({task.dy + at, task.y + at, filters, 1, filters, shape.activation}, entries);
  if (entries->count == 0) return;
  const int64_t first = FirstInputRow(shape, row);
  const int64_t from = std::max<int64_t>(first, 0), to = std::min(first + shape.taps, shape.steps);
  if (from >= to) return;
  AddRows(*entries, transposed + (from - first) * shape.channels, Size(shape.taps * shape.channels),
          Size((to - from) * shape.channels), task.dx + (sample * shape.steps + from) * shape.channels);
}

void ComputeInputGradient(ThreadPool& pool, const Conv1dGradientTask& task, Arena& arena) {
  const Conv1dShape& shape = task.shape;
  float* transposed = arena.Take<float>(Size(shape.filters * shape.taps * shape.channels));
  Transpose(pool, shape, task.kernel, transposed);
  const size_t listed = Size(shape.filters) + kEntriesSlack;
  const size_t bytes = Arena::BytesOf<int32_t>(listed) + Arena::BytesOf<float>(listed);
  uint8_t* scratch = arena.Take<uint8_t>(Size(pool.threads()) * bytes);
  pool.ParallelFor(Size(task.batch), [&](size_t number, int worker) {
    const int64_t sample = static_cast<int64_t>(number);
    Arena own(scratch + Size(worker) * bytes, bytes);
    RowEntries entries{own.Take<int32_t>(listed), own.Take<float>(listed), 0};
    const RowClasses classes = ClassifyRows(shape, TokensOf(shape, task.input, sample));
    float* sequence = task.dx + sample * shape.steps * shape.channels;
    if (task.input.x != nullptr) {
      std::fill_n(sequence, Size(shape.steps * shape.channels), 0.0f);
    } else {
      for (const RowRange& range : RowsRead(shape, classes).ranges) {
        std::fill(sequence + range.begin * shape.channels, sequence + range.end * shape.channels, 0.0f);
      }
    }
    for (const RowRange& range : classes.plain) {
      for (int64_t row = range.begin; row < range.end; ++row) SpreadRow(task, sample, row, transposed, &entries);
    }
  });
}

// --- the choice ------------------------------------------------------------------------------------------------------

constexpr int64_t kSampledRows = 512;

// Where less than this part of dy is not zero, the sparse way takes less time.
constexpr double kSparseDensity = 0.3;

}  // namespace

bool IsSparse(const Conv1dShape& shape, int64_t batch, const float* dy) {
  const int64_t rows = batch * shape.out_steps;
  const int64_t sampled = std::min(rows, kSampledRows);
  size_t nonzero = 0;
  for (int64_t i = 0; i < sampled; ++i) {
    // Rows far apart without a period of their own, which that of the pooling could meet.
    const int64_t row = static_cast<int64_t>(static_cast<uint64_t>(i) * 2654435769u % static_cast<uint64_t>(rows));
    nonzero += CountNonzero(dy + row * shape.filters, Size(shape.filters));
  }
  return static_cast<double>(nonzero) <= kSparseDensity * static_cast<double>(sampled * shape.filters);
}

size_t SparseGradientBytes(const Conv1dShape& shape, int64_t batch, int threads) {
  return std::max(KernelGradientBytes(shape, SparsePlan(shape, batch, threads), threads),
                  InputGradientBytes(shape, threads));
}

void ComputeSparseGradient(ThreadPool& pool, const Conv1dGradientTask& task, Arena& arena) {
  const size_t mark = arena.used();
  ComputeKernelGradient(pool, task, arena);
  arena.Rewind(mark);
  if (task.dx != nullptr) ComputeInputGradient(pool, task, arena);
  arena.Rewind(mark);
}

}  // namespace slim
