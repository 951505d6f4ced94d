#pragma once

#include <cstdint>

#include "cuda/launch.h"
#include "cuda/product_float32.h"
#include "cuda/product_matrix_units.h"
#include "cuda/product_operand.h"
#include "cuda/product_result.h"

/// This library's own product of any two operands (product_operand.h): which kernel computes it, and in which tiles.
namespace slim::cuda {

template <class Tile, class A, class B>
void MultiplyInTiles(const CudaContext& context, const A& a, const B& b, const ProductResult& result,
                     void (*kernel)(A, B, ProductResult, int64_t, float*), size_t shared_bytes) {
  const ProductCut cut = CutProduct(context, result, Tile::kRows, Tile::kColumns);
  const LaunchShape shape{.grid = dim3(static_cast<unsigned int>(cut.tiles), static_cast<unsigned int>(cut.parts)),
                          .block = dim3(Tile::kThreads),
                          .shared_bytes = shared_bytes};
  Launch(kernel, shape, context.stream, a, b, result, cut.depth_of_part, static_cast<float*>(context.workspace));
  if (cut.parts > 1) AddParts(context, result, cut.parts);
}

/// Whether tiles of that size fill C and give each multiprocessor work.
template <class Tile>
bool TilesServe(const CudaContext& context, const ProductResult& result) {
  const ProductCut cut = CutProduct(context, result, Tile::kRows, Tile::kColumns);
  return result.rows > Tile::kRows / 2 && result.columns > Tile::kColumns / 2 &&
         cut.tiles * cut.parts >= context.device.multiprocessors;
}

/// The largest tile that serves; one for all sizes where the operands are read element by element.
template <class A, class B>
void MultiplyInFloat32(const CudaContext& context, const A& a, const B& b, const ProductResult& result) {
  using Large = Float32Tile<128, 128, 8, 8>;
  using Medium = Float32Tile<64, 64, 8, 4>;
  using Small = Float32Tile<32, 32, 4, 4>;
  const auto multiply = [&]<class Tile>(Tile) {
    MultiplyInTiles<Tile>(context, a, b, result, &Float32ProductKernel<Tile, A, B>, Tile::kSharedBytes);
  };
  // NOLINTNEXTLINE(bugprone-branch-clone): the first is settled when compiled, without the other tiles
  if constexpr (A::kVector == 1 || B::kVector == 1) {
    multiply(Medium{});
  } else if (TilesServe<Large>(context, result)) {
    multiply(Large{});
  } else if (TilesServe<Medium>(context, result)) {
    multiply(Medium{});
  } else {
    multiply(Small{});
  }
}

/// Likewise. A smaller tile would leave a warp too little to do with what it reads. Where elements are read one by one,
/// more threads share them.
template <Precision kPrecision, class A, class B>
void MultiplyOnMatrixUnits(const CudaContext& context, const A& a, const B& b, const ProductResult& result) {
  using Large = MatrixTile<128, 128, 64, 32>;
  using Medium = MatrixTile<64, 64, 32, 32>;
  using ElementByElement = MatrixTile<64, 64, 32, 16>;
  const auto multiply = [&]<class Tile>(Tile) {
    MultiplyInTiles<Tile>(context, a, b, result, &MatrixProductKernel<kPrecision, Tile, A, B>,
                          MatrixProduct<kPrecision, Tile, A, B>::kSharedBytes);
  };
  if constexpr (A::kVector == 1 || B::kVector == 1) {
    multiply(ElementByElement{});
  } else if (TilesServe<Large>(context, result)) {
    multiply(Large{});
  } else {
    multiply(Medium{});
  }
}

/// In the context's precision.
template <class A, class B>
void MultiplyOperands(const CudaContext& context, const A& a, const B& b, const ProductResult& result) {
  if (result.rows == 0 || result.columns == 0) return;
  switch (context.precision) {
    case Precision::kFloat32:
      return MultiplyInFloat32(context, a, b, result);
    case Precision::kTf32:
      return MultiplyOnMatrixUnits<Precision::kTf32>(context, a, b, result);
    case Precision::kBfloat16:
      return MultiplyOnMatrixUnits<Precision::kBfloat16>(context, a, b, result);
  }
}

}  // namespace slim::cuda
