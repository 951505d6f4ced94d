#include "cuda/dense.h"

#include "cuda/activation.h"
#include "cuda/column_sums.h"
#include "cuda/product.h"

namespace slim::cuda {

void DenseForward(const CudaContext& context, const DenseShape& shape, int64_t batch, const float* x,
                  const float* kernel, const float* bias, float* y) {
  const int64_t rows = batch * shape.rows_per_sample;
  ProductShape product = ProductNN(rows, shape.units, shape.inputs);
  product.epilogue = LayerEpilogue(bias, shape.activation);
  // The epilogues that read it do not write it.
  Multiply(context, product, {x, kernel, y, const_cast<float*>(bias)});
  if (shape.activation == Activation::kRelu || shape.activation == Activation::kLinear) return;
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
    ProductShape product = ProductTN(shape.inputs, shape.units, rows);
    if (dbias != nullptr) product.epilogue = ProductEpilogue::kBiasGradient;
    Multiply(context, product, {x, dy, dkernel, dbias});
  } else if (dbias != nullptr) {
    ColumnSums(context, dy, rows, shape.units, shape.units, dbias);
  }
  if (dx != nullptr) {
    // dx = dy kernel^T
    Multiply(context, ProductNT(rows, shape.inputs, shape.units), {dy, kernel, dx, nullptr});
  }
}

}  // namespace slim::cuda
