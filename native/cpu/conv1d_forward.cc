#include "cpu/conv1d_forward.h"

#include <algorithm>
#include <cstring>

#include "cpu/conv1d_fold.h"
#include "cpu/conv1d_geometry.h"
#include "cpu/conv1d_winograd.h"
#include "cpu/fill_rows.h"

namespace slim {
namespace {

size_t RowBufferFloats(const Conv1dShape& shape) {
  return Size(SpanRows(shape, std::min(kConvolutionBlockRows, shape.out_steps)) * shape.channels);
}

void MultiplyBlocks(ThreadPool& pool, const Conv1dShape& shape, const SequenceInput& input,
                    const Conv1dWeights& weights, const RowBlock* blocks, size_t count, float* y, Arena& arena) {
  const PackedKernel kernel(shape, weights.kernel, arena);
  const size_t buffer_floats = RowBufferFloats(shape);
  float* buffers = arena.Take<float>(buffer_floats * Size(pool.threads()));
  pool.ParallelFor(count, [&](size_t task, int worker) {
    const RowBlock& block = blocks[task];
    const int64_t rows = block.end - block.begin;
    const int64_t first = FirstInputRow(shape, block.begin);
    const int64_t span = SpanRows(shape, rows);
    float* out = y + (block.sample * shape.out_steps + block.begin) * shape.filters;
    if (input.x != nullptr && first >= 0 && first + span <= shape.steps) {
      kernel.Multiply(input.x + (block.sample * shape.steps + first) * shape.channels, rows, weights.bias, out);
    } else {
      float* buffer = buffers + Size(worker) * buffer_floats;
      CopyRows(shape, input, block.sample, first, span, Size(shape.channels), buffer);
      kernel.Multiply(buffer, rows, weights.bias, out);
    }
  });
}

size_t MultiplyBlocksBytes(const Conv1dShape& shape, int threads) {
  return PackedKernel::Bytes(shape) + Arena::BytesOf<float>(RowBufferFloats(shape) * Size(threads));
}

size_t PaddingRowBytes(const Conv1dShape& shape) {
  return PackedKernel::Bytes(shape) + Arena::BytesOf<float>(Size(SpanRows(shape, 1) * shape.channels));
}

// The output row that reads token 0 alone.
void ComputePaddingRow(ThreadPool& pool, const Conv1dShape& shape, const SequenceInput& input,
                       const Conv1dWeights& weights, float* y, Arena& arena) {
  const PackedKernel kernel(shape, weights.kernel, arena);
  const size_t channels = Size(shape.channels);
  float* rows = arena.Take<float>(Size(SpanRows(shape, 1)) * channels);
  for (int64_t row = 0; row < SpanRows(shape, 1); ++row) {
    std::memcpy(rows + Size(row) * channels, input.table, channels * sizeof(float));
  }
  // A region of one task, so that denormals are rounded here as in the others.
  pool.ParallelFor(1, [&](size_t, int) { kernel.Multiply(rows, 1, weights.bias, y); });
}

void FillPadding(ThreadPool& pool, const Conv1dShape& shape, int64_t batch, const SequenceInput& input,
                 const float* padding_row, float* y) {
  pool.ParallelFor(Size(batch), [&](size_t sample, int) {
    const RowClasses classes = ClassifyRows(shape, TokensOf(shape, input, static_cast<int64_t>(sample)));
    float* sequence = y + sample * Size(shape.out_steps * shape.filters);
    for (const RowRange& range : classes.padding) {
      FillRows(padding_row, Size(shape.filters), Size(range.Count()), sequence + range.begin * shape.filters);
    }
  });
}

}  // namespace

size_t PackedKernel::Bytes(const Conv1dShape& shape) {
  const size_t channels = Size(shape.channels), filters = Size(shape.filters), taps = Size(shape.taps);
  const bool whole = shape.dilation == 1;
  return Arena::BytesOf<float>(whole ? PackedSize(taps * channels, filters) : taps * PackedSize(channels, filters));
}

PackedKernel::PackedKernel(const Conv1dShape& shape, const float* kernel, Arena& arena) : shape_(shape) {
  const size_t channels = Size(shape.channels), filters = Size(shape.filters), taps = Size(shape.taps);
  if (shape.dilation == 1) {
    matrix_ = Pack(kernel, filters, taps * channels, filters, arena.Take<float>(PackedSize(taps * channels, filters)));
    return;
  }
  tap_stride_ = PackedSize(channels, filters);
  float* storage = arena.Take<float>(taps * tap_stride_);
  for (size_t tap = taps; tap-- > 0;) {
    matrix_ = Pack(kernel + tap * channels * filters, filters, channels, filters, storage + tap * tap_stride_);
  }
}

void PackedKernel::Multiply(const float* rows, int64_t count, const float* bias, float* y) const {
  Product product;
  product.a.data = rows;
  product.a.stride = Size(shape_.stride * shape_.channels);
  product.rows = Size(count);
  product.b = matrix_;
  product.bias = bias;
  product.c = y;
  product.c_stride = Size(shape_.filters);
  const int64_t passes = shape_.dilation == 1 ? 1 : shape_.taps;
  for (int64_t pass = 0; pass < passes; ++pass) {
    product.activation = pass + 1 == passes ? shape_.activation : Activation::kLinear;
    MultiplyPart(product, 0, product.rows, 0, product.b.Panels());
    product.a.data += shape_.dilation * shape_.channels;
    product.b.data += tap_stride_;
    product.accumulate = true;
    product.bias = nullptr;
  }
}

size_t ConvolveBlocksBytes(const Conv1dShape& shape, int threads) {
  return HasWinograd(shape) ? ConvolveWinogradBytes(shape, threads) : MultiplyBlocksBytes(shape, threads);
}

void ConvolveBlocks(ThreadPool& pool, const Conv1dShape& shape, const SequenceInput& input,
                    const Conv1dWeights& weights, const RowBlock* blocks, size_t count, float* y, Arena& arena) {
  const auto convolve = HasWinograd(shape) ? ConvolveWinograd : MultiplyBlocks;
  convolve(pool, shape, input, weights, blocks, count, y, arena);
}

size_t ConvolveBytes(const Conv1dShape& shape, int64_t batch, bool embedded, int threads) {
  const size_t blocks = Arena::BytesOf<RowBlock>(MostBlocks(shape, batch, kConvolutionBlockRows));
  const size_t plain = ConvolveBlocksBytes(shape, threads);
  if (!embedded) return blocks + plain;
  return blocks + Arena::BytesOf<float>(Size(shape.filters)) +
         std::max({PaddingRowBytes(shape), plain, ConvolveFoldedBytes(shape, batch)});
}

void Convolve(ThreadPool& pool, const Conv1dShape& shape, int64_t batch, const SequenceInput& input,
              const Conv1dWeights& weights, float* y, Arena& arena) {
  RowBlock* blocks = arena.Take<RowBlock>(MostBlocks(shape, batch, kConvolutionBlockRows));
  const size_t count = ListBlocks(shape, batch, input, kConvolutionBlockRows, blocks);
  if (input.x != nullptr) {
    ConvolveBlocks(pool, shape, input, weights, blocks, count, y, arena);
    return;
  }
  float* padding_row = arena.Take<float>(Size(shape.filters));
  const size_t mark = arena.used();
  ComputePaddingRow(pool, shape, input, weights, padding_row, arena);
  arena.Rewind(mark);
  if (!ConvolveFolded(pool, shape, batch, input, weights, blocks, count, y, arena)) {
    arena.Rewind(mark);
    ConvolveBlocks(pool, shape, input, weights, blocks, count, y, arena);
  }
  FillPadding(pool, shape, batch, input, padding_row, y);
}

}  // namespace slim
