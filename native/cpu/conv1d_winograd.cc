#include "cpu/conv1d_winograd.h"

#include <algorithm>

#include "cpu/product.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/conv1d_winograd.cc"
#include "cpu/dispatch.h"
#include "hwy/foreach_target.h"
// Compiled once a target, so after foreach_target.h:
#include "cpu/activation-inl.h"
#include "cpu/simd-inl.h"
#include "cpu/spans-inl.h"

#ifndef SLIM_CONV1D_WINOGRAD_TABLE
#define SLIM_CONV1D_WINOGRAD_TABLE
namespace slim {

// Points at which the polynomials are evaluated, and input rows of a tile.
inline constexpr size_t kPoints = 8;
inline constexpr int64_t kLeastTaps = 3;
inline constexpr int64_t kMostTaps = 7;

struct WinogradTile {
  const float* rows[kPoints];  // input rows, [channels]
  size_t channels;
  float* values;  // value at point p of channel c: values[p * plane + c]
  size_t plane;
};

struct WinogradOutput {
  const float* products;  // of filter f at point p: products[p * plane + f]
  size_t plane;
  const float* bias;  // [filters] or null
  size_t filters;
  size_t rows;  // of the tile that are wanted, at most 9 - taps
  float* y;     // [rows, filters]
};

struct Conv1dWinogradTable {
  // The kernel at a point: transformed = sum over tap of factors[tap] * kernel[tap], `count` floats.
  void (*transform_kernel)(const float* kernel, size_t count, const float* factors, size_t taps, float* transformed);
  void (*transform_input)(const WinogradTile& tile);
  void (*transform_output)(Activation activation, size_t taps, const WinogradOutput& output);
};
}  // namespace slim
#endif

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {
namespace {

void TransformKernel(const float* kernel, size_t count, const float* factors, size_t taps, float* transformed) {
  ForEachSpan(count, [&](size_t i, auto span) HWY_ATTR {
    Floats sum = hn::Zero(kFloats);
    for (size_t tap = 0; tap < taps; ++tap) {
      sum = hn::MulAdd(hn::Set(kFloats, factors[tap]), Load(kernel + tap * count + i, span), sum);
    }
    Store(sum, transformed + i, span);
  });
}

HWY_INLINE Floats Times(float factor, Floats v) { return hn::Mul(hn::Set(kFloats, factor), v); }
HWY_INLINE Floats AddTimes(Floats sum, float factor, Floats v) { return hn::MulAdd(hn::Set(kFloats, factor), v, sum); }

// Row j of the matrix that is applied here is the polynomial that vanishes at all points but the j-th; for infinity it
// is the one that vanishes at all others. Rows of opposite points share their even and odd parts.
void TransformInput(const WinogradTile& tile) {
  ForEachSpan(tile.channels, [&](size_t c, auto span) HWY_ATTR {
    Floats d[kPoints];
    HWY_UNROLL(8)
    for (size_t r = 0; r < kPoints; ++r) d[r] = Load(tile.rows[r] + c, span);
    float* to = tile.values + c;
    const auto store = [&](size_t point, Floats v) HWY_ATTR { Store(v, to + point * tile.plane, span); };
    const auto store_pair = [&](size_t point, Floats even, Floats odd) HWY_ATTR {
      store(point, hn::Add(even, odd));
      store(point + 1, hn::Sub(even, odd));
    };
    store(0, AddTimes(hn::Sub(d[0], d[6]), 5.25f, hn::Sub(d[4], d[2])));
    store_pair(1, AddTimes(hn::Add(d[2], d[6]), -4.25f, d[4]), AddTimes(hn::Add(d[1], d[5]), -4.25f, d[3]));
    store_pair(3, AddTimes(AddTimes(d[6], 0.25f, d[2]), -1.25f, d[4]),
               AddTimes(AddTimes(Times(0.5f, d[1]), -2.5f, d[3]), 2.0f, d[5]));
    store_pair(5, AddTimes(AddTimes(d[6], 4.0f, d[2]), -5.0f, d[4]),
               AddTimes(AddTimes(Times(2.0f, d[1]), -2.5f, d[3]), 0.5f, d[5]));
    store(7, AddTimes(hn::Sub(d[7], d[1]), 5.25f, hn::Sub(d[3], d[5])));
  });
}

// Output row i is the sum over points p of p^i times the product there; infinity counts for the last row alone.
template <class Function, size_t kRows>
void TransformTile(const WinogradOutput& output) {
  const Function function;
  ForEachSpan(output.filters, [&](size_t f, auto span) HWY_ATTR {
    const auto product = [&](size_t point) HWY_ATTR { return Load(output.products + point * output.plane + f, span); };
    const Floats bias = output.bias == nullptr ? hn::Zero(kFloats) : Load(output.bias + f, span);
    Floats even[3], odd[3];
    HWY_UNROLL(3)
    for (size_t pair = 0; pair < 3; ++pair) {
      const Floats plus = product(1 + 2 * pair), minus = product(2 + 2 * pair);
      even[pair] = hn::Add(plus, minus);
      odd[pair] = hn::Sub(plus, minus);
    }
    HWY_UNROLL(6)
    for (size_t row = 0; row < kRows; ++row) {
      const Floats* parts = row % 2 == 0 ? even : odd;
      const float power = static_cast<float>(1 << row);
      Floats sum = AddTimes(AddTimes(parts[0], power, parts[1]), 1.0f / power, parts[2]);
      if (row == 0) sum = hn::Add(sum, product(0));
      if (row + 1 == kRows) sum = hn::Add(sum, product(7));
      if (row < output.rows) {
        Store(function.Value(hn::Add(sum, bias)), output.y + row * output.filters + f, span);
      }
    }
  });
}

template <size_t kRows>
struct TransformWith {
  const WinogradOutput& output;
  template <class Function>
  void operator()() const {
    TransformTile<Function, kRows>(output);
  }
};

void TransformOutput(Activation activation, size_t taps, const WinogradOutput& output) {
  switch (taps) {
    case 3:
      return WithActivation(activation, TransformWith<6>{output});
    case 4:
      return WithActivation(activation, TransformWith<5>{output});
    case 5:
      return WithActivation(activation, TransformWith<4>{output});
    case 6:
      return WithActivation(activation, TransformWith<3>{output});
    default:
      return WithActivation(activation, TransformWith<2>{output});
  }
}

}  // namespace

extern const Conv1dWinogradTable kConv1dWinogradTable;
const Conv1dWinogradTable kConv1dWinogradTable = {TransformKernel, TransformInput, TransformOutput};

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slim {

SLIM_CHOOSE_TABLE(Conv1dWinogradTable, kConv1dWinogradTable)

namespace {

// Fewer channels or filters do not make up for the transforms.
constexpr int64_t kLeastWidth = 16;

// What a task transforms and multiplies at a time, in the second-level cache beside the kernel.
constexpr size_t kTilesBytes = size_t{256} << 10;

// Tiles come in multiples of the rows of a product's tile.
constexpr size_t kTilesUnit = 6;
constexpr size_t kMostTiles = 48;

constexpr size_t kLaneUnit = 16;

size_t RoundUp(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

struct WinogradPlan {
  explicit WinogradPlan(const Conv1dShape& shape)
      : rows(static_cast<int64_t>(kPoints) + 1 - shape.taps),
        input_stride(RoundUp(Size(shape.channels), kLaneUnit)),
        output_stride(RoundUp(Size(shape.filters), kLaneUnit)),
        packed_floats(PackedSize(Size(shape.channels), Size(shape.filters))) {
    const size_t tile_bytes = kPoints * (input_stride + output_stride) * sizeof(float);
    tiles = std::clamp(kTilesBytes / tile_bytes / kTilesUnit * kTilesUnit, kTilesUnit, kMostTiles);
  }

  size_t KernelFloats(const Conv1dShape& shape) const {
    return kPoints * RoundUp(Size(shape.channels * shape.filters), kLaneUnit);
  }
  size_t WorkerFloats() const { return kPoints * tiles * (input_stride + output_stride); }

  int64_t rows;  // output rows of a tile
  size_t input_stride;
  size_t output_stride;
  size_t packed_floats;  // of the kernel at a point, packed
  size_t tiles;          // that are multiplied together
};

// p^tap divided by what the polynomial of the point is there; see TransformInput.
void KernelFactors(size_t point, size_t taps, float* factors) {
  constexpr double kPoint[kPoints - 1] = {0, 1, -1, 2, -2, 0.5, -0.5};
  constexpr double kDivisor[kPoints - 1] = {1, -4.5, -4.5, 90, 90, 1.40625, 1.40625};
  double power = 1;
  for (size_t tap = 0; tap < taps; ++tap) {
    if (point == kPoints - 1) {
      factors[tap] = tap + 1 == taps ? 1.0f : 0.0f;
    } else {
      factors[tap] = static_cast<float>(power / kDivisor[point]);
      power *= kPoint[point];
    }
  }
}

// The kernel at each point, packed.
void TransformKernels(ThreadPool& pool, const Conv1dShape& shape, const WinogradPlan& plan, const float* kernel,
                      PackedMatrix* packed, Arena& arena) {
  const size_t channels = Size(shape.channels), filters = Size(shape.filters);
  float* storage = arena.Take<float>(kPoints * plan.packed_floats);
  const size_t mark = arena.used();
  float* transformed = arena.Take<float>(plan.KernelFloats(shape));
  pool.ParallelFor(kPoints, [&](size_t point, int) {
    float factors[kMostTaps];
    KernelFactors(point, Size(shape.taps), factors);
    float* at_point = transformed + point * plan.KernelFloats(shape) / kPoints;
    ChosenConv1dWinogradTable().transform_kernel(kernel, channels * filters, factors, Size(shape.taps), at_point);
    packed[point] = Pack(at_point, filters, channels, filters, storage + point * plan.packed_floats);
  });
  arena.Rewind(mark);
}

// What the tasks of one convolution share.
struct WinogradTask {
  const Conv1dShape& shape;
  const SequenceInput& input;
  const WinogradPlan& plan;
  const PackedMatrix* kernels;  // [kPoints]
  const float* bias;
  const float* zero_row;  // [channels]
  float* y;

  const float* InputRow(int64_t sample, int64_t step) const {
    if (step < 0 || step >= shape.steps) return zero_row;
    const int64_t position = sample * shape.steps + step;
    if (input.x != nullptr) return input.x + position * shape.channels;
    return input.table + int64_t{input.tokens[position]} * shape.channels;
  }

  // Output rows [begin, end) of a sequence, at most plan.tiles tiles.
  void Run(int64_t sample, int64_t begin, int64_t end, float* values, float* products) const {
    const Conv1dWinogradTable& table = ChosenConv1dWinogradTable();
    const size_t tiles = Size((end - begin + plan.rows - 1) / plan.rows);
    WinogradTile tile{{}, Size(shape.channels), nullptr, plan.tiles * plan.input_stride};
    for (size_t t = 0; t < tiles; ++t) {
      const int64_t first = FirstInputRow(shape, begin + static_cast<int64_t>(t) * plan.rows);
      for (size_t r = 0; r < kPoints; ++r) tile.rows[r] = InputRow(sample, first + static_cast<int64_t>(r));
      tile.values = values + t * plan.input_stride;
      table.transform_input(tile);
    }
    for (size_t point = 0; point < kPoints; ++point) {
      Product product;
      product.a.data = values + point * plan.tiles * plan.input_stride;
      product.a.stride = plan.input_stride;
      product.rows = tiles;
      product.b = kernels[point];
      product.c = products + point * plan.tiles * plan.output_stride;
      product.c_stride = plan.output_stride;
      MultiplyPart(product, 0, tiles, 0, product.b.Panels());
    }
    for (size_t t = 0; t < tiles; ++t) {
      const int64_t row = begin + static_cast<int64_t>(t) * plan.rows;
      WinogradOutput output;
      output.products = products + t * plan.output_stride;
      output.plane = plan.tiles * plan.output_stride;
      output.bias = bias;
      output.filters = Size(shape.filters);
      output.rows = Size(std::min(plan.rows, end - row));
      output.y = y + (sample * shape.out_steps + row) * shape.filters;
      table.transform_output(shape.activation, Size(shape.taps), output);
    }
  }
};

}  // namespace

bool HasWinograd(const Conv1dShape& shape) {
  return shape.stride == 1 && shape.dilation == 1 && shape.taps >= kLeastTaps && shape.taps <= kMostTaps &&
         shape.channels >= kLeastWidth && shape.filters >= kLeastWidth;
}

size_t ConvolveWinogradBytes(const Conv1dShape& shape, int threads) {
  const WinogradPlan plan(shape);
  return Arena::BytesOf<float>(Size(shape.channels)) + Arena::BytesOf<float>(kPoints * plan.packed_floats) +
         std::max(Arena::BytesOf<float>(plan.KernelFloats(shape)),
                  Arena::BytesOf<float>(plan.WorkerFloats() * Size(threads)));
}

void ConvolveWinograd(ThreadPool& pool, const Conv1dShape& shape, const SequenceInput& input,
                      const Conv1dWeights& weights, const RowBlock* blocks, size_t count, float* y, Arena& arena) {
  const WinogradPlan plan(shape);
  PackedMatrix kernels[kPoints];
  float* zero_row = arena.Take<float>(Size(shape.channels));
  std::fill_n(zero_row, Size(shape.channels), 0.0f);
  TransformKernels(pool, shape, plan, weights.kernel, kernels, arena);
  float* scratch = arena.Take<float>(plan.WorkerFloats() * Size(pool.threads()));
  const WinogradTask task{shape, input, plan, kernels, weights.bias, zero_row, y};
  const int64_t step = static_cast<int64_t>(plan.tiles) * plan.rows;
  pool.ParallelFor(count, [&](size_t number, int worker) {
    const RowBlock& block = blocks[number];
    float* values = scratch + Size(worker) * plan.WorkerFloats();
    float* products = values + kPoints * plan.tiles * plan.input_stride;
    for (int64_t begin = block.begin; begin < block.end; begin += step) {
      task.Run(block.sample, begin, std::min(begin + step, block.end), values, products);
    }
  });
}

}  // namespace slim
#endif  // HWY_ONCE
