#include "cpu/dense.h"

#include <algorithm>

#include "cpu/activation.h"
#include "cpu/column_sums.h"
#include "cpu/memory.h"
#include "cpu/parallel_range.h"
#include "cpu/product.h"

namespace slim {
namespace {

size_t Inputs(const DenseShape& shape) { return static_cast<size_t>(shape.inputs); }
size_t Units(const DenseShape& shape) { return static_cast<size_t>(shape.units); }
size_t Rows(const DenseShape& shape, int64_t batch) { return static_cast<size_t>(batch * shape.rows_per_sample); }

size_t ForwardBytes(const DenseShape& shape) { return Arena::BytesOf<float>(PackedSize(Inputs(shape), Units(shape))); }

size_t BackwardBytes(const DenseShape& shape, int64_t batch, int threads) {
  const size_t transposed = Arena::BytesOf<float>(PackedSize(Units(shape), Inputs(shape)));
  const size_t gradient = WeightGradientScratchBytes(Inputs(shape), Units(shape), Rows(shape, batch), threads);
  return transposed + AlignedBytes(gradient);
}

}  // namespace

size_t DenseScratchBytes(const DenseShape& shape, int64_t batch, bool training, int threads) {
  const size_t forward = ForwardBytes(shape);
  return training ? std::max(forward, BackwardBytes(shape, batch, threads)) : forward;
}

void DenseForward(ThreadPool& pool, const DenseShape& shape, int64_t batch, const float* x, const float* kernel,
                  const float* bias, float* y, void* scratch) {
  Product product;
  product.a.data = x;
  product.a.stride = Inputs(shape);
  product.rows = Rows(shape, batch);
  product.b = Pack(kernel, Units(shape), Inputs(shape), Units(shape), static_cast<float*>(scratch));
  product.bias = bias;
  product.activation = shape.activation;
  product.c = y;
  product.c_stride = Units(shape);
  Multiply(product, pool);
}

void DenseBackward(ThreadPool& pool, const DenseShape& shape, int64_t batch, const float* x, const float* kernel,
                   const float* y, float* dy, float* dkernel, float* dbias, float* dx, void* scratch) {
  const size_t rows = Rows(shape, batch);
  if (shape.activation != Activation::kLinear) {
    ParallelRange(pool, rows * Units(shape), kElementsPerTask, [&](size_t begin, size_t end) {
      MultiplyByDerivative(shape.activation, static_cast<int64_t>(end - begin), y + begin, dy + begin, dy + begin);
    });
  }
  Arena arena(scratch, BackwardBytes(shape, batch, pool.threads()));
  if (dkernel != nullptr) {
    const RowRun run{x, dy, rows};
    WeightGradient gradient;
    gradient.runs = &run;
    gradient.run_count = 1;
    gradient.a_stride = Inputs(shape);
    gradient.dy_stride = Units(shape);
    gradient.depth = Inputs(shape);
    gradient.columns = Units(shape);
    gradient.dw = dkernel;
    gradient.dw_stride = Units(shape);
    gradient.db = dbias;
    const size_t bytes = WeightGradientScratchBytes(Inputs(shape), Units(shape), rows, pool.threads());
    ComputeWeightGradient(gradient, pool, arena.Take<uint8_t>(bytes));
  } else if (dbias != nullptr) {
    ColumnSums(pool, dy, rows, Units(shape), dbias);
  }
  if (dx != nullptr) {
    Product product;
    product.a.data = dy;
    product.a.stride = Units(shape);
    product.rows = rows;
    float* storage = arena.Take<float>(PackedSize(Units(shape), Inputs(shape)));
    product.b = PackTransposed(kernel, Units(shape), Units(shape), Inputs(shape), storage);
    product.c = dx;
    product.c_stride = Inputs(shape);
    Multiply(product, pool);
  }
}

}  // namespace slim
