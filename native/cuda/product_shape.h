#pragma once

#include <compare>
#include <cstdint>

#include "backend.h"

namespace slim::cuda {

/// What is done to the product before it is written.
enum class ProductEpilogue : uint8_t {
  kNone,
  kBias,          // c + bias, for each row
  kRelu,          // max(c, 0)
  kBiasRelu,      // max(c + bias, 0)
  kBiasGradient,  // bias[j] becomes the sum of B's column j over the depth; c is as with kNone
};

/// C = op(A) op(B), row-major; C is [rows, columns], the sum runs over `depth`. At most one operand is transposed. A
/// stride counts floats from row to row and is not less than the row.
struct ProductShape {
  int64_t rows;
  int64_t columns;
  int64_t depth;
  bool transpose_a;  // A lies as [depth, rows], otherwise as [rows, depth]
  bool transpose_b;  // B lies as [columns, depth], otherwise as [depth, columns]
  int64_t a_stride;
  int64_t b_stride;
  int64_t c_stride;
  ProductEpilogue epilogue;
  bool accumulate;  // add to what C holds

  auto operator<=>(const ProductShape&) const = default;
};

struct ProductOperands {
  const float* a;
  const float* b;
  float* c;
  float* bias;  // [columns] where the epilogue has one; written by kBiasGradient alone
};

/// C = A B of matrices whose rows lie without gaps. As in BLAS, N is an operand as it lies and T a transposed one.
constexpr ProductShape ProductNN(int64_t rows, int64_t columns, int64_t depth) {
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

/// C = A^T B, likewise.
constexpr ProductShape ProductTN(int64_t rows, int64_t columns, int64_t depth) {
  ProductShape shape = ProductNN(rows, columns, depth);
  shape.transpose_a = true;
  shape.a_stride = rows;
  return shape;
}

/// C = A B^T, likewise.
constexpr ProductShape ProductNT(int64_t rows, int64_t columns, int64_t depth) {
  ProductShape shape = ProductNN(rows, columns, depth);
  shape.transpose_b = true;
  shape.b_stride = depth;
  return shape;
}

/// What of a layer's bias, null where it has none, and its activation goes into the product: activations but ReLU are
/// left to be applied.
constexpr ProductEpilogue LayerEpilogue(const float* bias, Activation activation) {
  const bool relu = activation == Activation::kRelu;
  if (bias != nullptr) return relu ? ProductEpilogue::kBiasRelu : ProductEpilogue::kBias;
  return relu ? ProductEpilogue::kRelu : ProductEpilogue::kNone;
}

}  // namespace slim::cuda
