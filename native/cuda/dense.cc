#include "cuda/dense.h"

#include "cuda/activation.h"
#include "cuda/column_sums.h"
#include "cuda/product.h"

namespace slim::cuda {
namespace {

// [rows, depth] times [depth, columns], each as it lies.
ProductShape PlainProduct(int64_t rows, int64_t columns, int64_t depth) {
  return {.rows = rows,
          .columns = columns,
          .depth = depth,
          .transpose_a = false,
          .transpose_b = false,
          .a_stride = depth,
          .b_stride = columns,
          .c_stride = columns,
          .epilogue = ProductEpilogue::kNone,
          .accumulate = false};
}

}  // namespace

void DenseForward(const CudaContext& context, const DenseShape& shape, int64_t batch, const float* x,
                  const float* kernel, const float* bias, float* y) {
  const int64_t rows = batch * shape.rows_per_sample;
  const bool relu = shape.activation == Activation::kRelu;
  ProductShape product = PlainProduct(rows, shape.units, shape.inputs);
  if (bias != nullptr) {
    product.epilogue = relu ? ProductEpilogue::kBiasRelu : ProductEpilogue::kBias;
  } else if (relu) {
    product.epilogue = ProductEpilogue::kRelu;
  }
  // The epilogues that read it do not write it.
  Multiply(context, product, {x, kernel, y, const_cast<float*>(bias)});
  if (relu || shape.activation == Activation::kLinear) return;
  ActivationForward(context, shape.activation, rows, shape.units, y, y);
}

void DenseBackward(const CudaContext& context, const DenseShape& shape, int64_t batch, const float* x,
                   const float* kernel, const float* y, float* dy, float* dkernel, float* dbias, float* dx) {
  const int64_t rows = batch * shape.rows_per_sample;
  if (shape.activation != Activation::kLinear) {
    ActivationBackward(context, shape.activation, rows, shape.units, y, dy, dy);
  }
  if (dkernel != nullptr) {
    // dkernel = x^T dy
    ProductShape product = PlainProduct(shape.inputs, shape.units, rows);
    product.transpose_a = true;
    product.a_stride = shape.inputs;
    if (dbias != nullptr) product.epilogue = ProductEpilogue::kBiasGradient;
    Multiply(context, product, {x, dy, dkernel, dbias});
  } else if (dbias != nullptr) {
    ColumnSums(context, dy, rows, shape.units, shape.units, dbias);
  }
  if (dx != nullptr) {
    // dx = dy kernel^T
    ProductShape product = PlainProduct(rows, shape.inputs, shape.units);
    product.transpose_b = true;
    product.b_stride = shape.units;
    Multiply(context, product, {dy, kernel, dx, nullptr});
  }
}

}  // namespace slim::cuda
