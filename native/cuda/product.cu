#include <algorithm>

#include "cuda/column_sums.h"
#include "cuda/cublaslt.h"
#include "cuda/product.h"
#include "cuda/product_kernel.h"
#include "cuda/vector_access.h"
#include "errors.h"

namespace slim::cuda {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads)
    AddPartsKernel(const __grid_constant__ ProductResult result, int64_t parts, const float* sums) {
  const int64_t elements = result.rows * result.columns;
  const int64_t stride = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < elements; i += stride) {
    float sum = 0;
#pragma unroll 4
    for (int64_t part = 0; part < parts; ++part) sum += sums[part * elements + i];
    const int64_t row = i / result.columns;
    result.Write(row, i - row * result.columns, sum);
  }
}

void CheckTransposition(const ProductShape& shape) {
  if (!shape.transpose_a || !shape.transpose_b) return;
  throw Error(ErrorCode::kInvalidArgument,
              "Expected a product with one transposed operand at the most but received two");
}

// Both operands are read in vectors, or neither.
template <int kVector>
void MultiplyMatrices(const CudaContext& context, const ProductShape& shape, const ProductOperands& operands,
                      const ProductResult& result) {
  const DepthMajorOperand<kVector> depth_a{operands.a, shape.a_stride, shape.rows, shape.depth};
  const LineMajorOperand<kVector> line_a{operands.a, shape.a_stride, shape.rows, shape.depth};
  const DepthMajorOperand<kVector> depth_b{operands.b, shape.b_stride, shape.columns, shape.depth};
  const LineMajorOperand<kVector> line_b{operands.b, shape.b_stride, shape.columns, shape.depth};
  if (shape.transpose_a) {
    MultiplyOperands(context, line_a, line_b, result);
  } else if (shape.transpose_b) {
    MultiplyOperands(context, depth_a, depth_b, result);
  } else {
    MultiplyOperands(context, depth_a, line_b, result);
  }
}

}  // namespace

ProductCut CutProduct(const CudaContext& context, const ProductResult& result, int tile_rows, int tile_columns) {
  constexpr int64_t kLeastDepth = 256;  // of a part
  const int64_t row_tiles = (result.rows + tile_rows - 1) / tile_rows;
  const int64_t column_tiles = (result.columns + tile_columns - 1) / tile_columns;
  ProductCut cut;
  cut.tiles = row_tiles * column_tiles;
  const int64_t wanted = (2 * context.device.multiprocessors + cut.tiles - 1) / cut.tiles;
  const int64_t fitting = static_cast<int64_t>(context.workspace_bytes / sizeof(float)) /
                          std::max<int64_t>(1, result.rows * result.columns);
  const int64_t parts = std::max<int64_t>(1, std::min<int64_t>({wanted, result.depth / kLeastDepth, fitting, 65535}));
  const int64_t depth = (result.depth + parts - 1) / parts;
  cut.depth_of_part = std::max<int64_t>(kTileDepth, (depth + kTileDepth - 1) / kTileDepth * kTileDepth);
  cut.parts = std::max<int64_t>(1, (result.depth + cut.depth_of_part - 1) / cut.depth_of_part);
  return cut;
}

void AddParts(const CudaContext& context, const ProductResult& result, int64_t parts) {
  const unsigned int blocks = BlocksFor(result.rows * result.columns, kThreads, context.device.multiprocessors);
  Launch(&AddPartsKernel, {.grid = blocks, .block = kThreads}, context.stream, result, parts,
         static_cast<const float*>(context.workspace));
}

void MultiplyByOwnKernel(const CudaContext& context, const ProductShape& shape, const ProductOperands& operands) {
  CheckTransposition(shape);
  const ProductEpilogue epilogue = shape.epilogue;
  const bool with_bias = epilogue == ProductEpilogue::kBias || epilogue == ProductEpilogue::kBiasRelu;
  const bool relu = epilogue == ProductEpilogue::kRelu || epilogue == ProductEpilogue::kBiasRelu;
  const ProductResult result{shape.rows, shape.columns,   shape.depth,
                             operands.c, shape.c_stride,  with_bias ? operands.bias : nullptr,
                             relu,       shape.accumulate};
  const bool in_vectors = ReadsInFours(operands.a, shape.a_stride, shape.transpose_a ? shape.rows : shape.depth) &&
                          ReadsInFours(operands.b, shape.b_stride, shape.transpose_b ? shape.depth : shape.columns);
  (in_vectors ? &MultiplyMatrices<4> : &MultiplyMatrices<1>)(context, shape, operands, result);
  if (epilogue != ProductEpilogue::kBiasGradient) return;
  if (shape.transpose_b) {
    RowSums(context, operands.b, shape.columns, shape.depth, shape.b_stride, operands.bias);
  } else {
    ColumnSums(context, operands.b, shape.depth, shape.columns, shape.b_stride, operands.bias);
  }
}

void Multiply(const CudaContext& context, const ProductShape& shape, const ProductOperands& operands) {
  CheckTransposition(shape);
  if (shape.rows == 0 || shape.columns == 0) return;
  const bool served = context.cublaslt != nullptr && shape.depth > 0 &&
                      context.cublaslt->Multiply(shape, operands, context.workspace, context.stream);
  if (!served) MultiplyByOwnKernel(context, shape, operands);
}

}  // namespace slim::cuda
