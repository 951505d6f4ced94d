// The product itself: all ways its operands may lie.

#include "cuda/product.h"

#include "cuda/device_session.h"
#include "devices.h"
#include "test.h"

namespace slim::test {
namespace {

using cuda::ProductEpilogue;
using cuda::ProductShape;

struct Matrices {
  FloatArray a, b, c, bias;

  explicit Matrices(const ProductShape& s)
      : a(RandomFloats((s.transpose_a ? s.depth : s.rows) * s.a_stride, 1)),
        b(RandomFloats((s.transpose_b ? s.columns : s.depth) * s.b_stride, 2)),
        c(RandomFloats(s.rows * s.c_stride, 3)),
        bias(RandomFloats(s.columns, 4)) {}
};

// The definition, in double; rows of C are padded with what lay there.
std::vector<double> Expected(const ProductShape& s, const Matrices& m, std::vector<double>* bias_gradient) {
  std::vector<double> c(m.c.begin(), m.c.end());
  for (int64_t i = 0; i < s.rows; ++i) {
    for (int64_t j = 0; j < s.columns; ++j) {
      double sum = s.accumulate ? c[static_cast<size_t>(i * s.c_stride + j)] : 0;
      for (int64_t k = 0; k < s.depth; ++k) {
        sum += static_cast<double>(m.a[static_cast<size_t>(s.transpose_a ? k * s.a_stride + i : i * s.a_stride + k)]) *
               m.b[static_cast<size_t>(s.transpose_b ? j * s.b_stride + k : k * s.b_stride + j)];
      }
      const bool biased = s.epilogue == ProductEpilogue::kBias || s.epilogue == ProductEpilogue::kBiasRelu;
      if (biased) sum += m.bias[static_cast<size_t>(j)];
      const bool relu = s.epilogue == ProductEpilogue::kRelu || s.epilogue == ProductEpilogue::kBiasRelu;
      c[static_cast<size_t>(i * s.c_stride + j)] = relu && sum < 0 ? 0 : sum;
    }
  }
  bias_gradient->assign(static_cast<size_t>(s.columns), 0.0);
  for (int64_t k = 0; k < s.depth; ++k) {
    for (int64_t j = 0; j < s.columns; ++j) {
      (*bias_gradient)[static_cast<size_t>(j)] +=
          m.b[static_cast<size_t>(s.transpose_b ? j * s.b_stride + k : k * s.b_stride + j)];
    }
  }
  return c;
}

void ExpectProduct(const ProductShape& shape) {
  const Matrices matrices(shape);
  std::vector<double> bias_gradient;
  const std::vector<double> expected = Expected(shape, matrices, &bias_gradient);
  for (int run = 0; run < CudaRuns(); ++run) {
    Bench bench(OpenCudaDevice(run));
    const cuda::DeviceSession session(0, Precision::kFloat32);
    float* c = bench.Put(matrices.c);
    float* bias = bench.Put(matrices.bias);
    const float* a = bench.Put(matrices.a);
    const float* b = bench.Put(matrices.b);
    bench->Synchronize();
    MultiplyByOwnKernel(session.context(), shape, {a, b, c, bias});
    if (cudaStreamSynchronize(session.context().stream) != cudaSuccess) Fail(__FILE__, __LINE__, "the product failed");
    EXPECT_NEAR(RelativeError(bench.Get(c, static_cast<int64_t>(matrices.c.size())), expected), 0, 2e-6);
    if (shape.epilogue == ProductEpilogue::kBiasGradient) {
      EXPECT_NEAR(RelativeError(bench.Get(bias, shape.columns), bias_gradient), 0, 2e-6);
    }
  }
}

ProductShape Shape(int64_t rows, int64_t columns, int64_t depth, bool transpose_a, bool transpose_b,
                   int64_t padding = 0) {
  return {.rows = rows,
          .columns = columns,
          .depth = depth,
          .transpose_a = transpose_a,
          .transpose_b = transpose_b,
          .a_stride = (transpose_a ? rows : depth) + padding,
          .b_stride = (transpose_b ? depth : columns) + padding,
          .c_stride = columns + padding,
          .epilogue = ProductEpilogue::kNone,
          .accumulate = false};
}

TEST("operands that lie either way, in rows of any length, give the product") {
  for (const bool transpose_a : {false, true}) {
    for (const bool transpose_b : {false, true}) {
      ExpectProduct(Shape(1, 1, 1, transpose_a, transpose_b));
      ExpectProduct(Shape(5, 3, 7, transpose_a, transpose_b, 2));
      ExpectProduct(Shape(36, 40, 20, transpose_a, transpose_b, 4));
      ExpectProduct(Shape(67, 65, 33, transpose_a, transpose_b));
      ExpectProduct(Shape(64, 72, 36, transpose_a, transpose_b));
      ExpectProduct(Shape(260, 204, 20, transpose_a, transpose_b));
    }
  }
}

TEST("a deep sum over few rows is taken in parts") {
  for (const bool transpose_a : {false, true}) {
    ExpectProduct(Shape(12, 20, 1500, transpose_a, false));
    ExpectProduct(Shape(3, 5, 1111, transpose_a, true));
  }
}

TEST("no depth at all gives what is done to zeros") {
  ProductShape shape = Shape(3, 4, 0, false, false, 4);
  ExpectProduct(shape);
  shape.epilogue = ProductEpilogue::kBias;
  ExpectProduct(shape);
}

TEST("every end of the product gives what it says, with sums in parts too") {
  using enum ProductEpilogue;
  for (const ProductEpilogue epilogue : {kNone, kBias, kRelu, kBiasRelu, kBiasGradient}) {
    for (const bool accumulate : {false, true}) {
      for (const int64_t depth : {24, 1200}) {
        for (const bool transpose_b : {false, true}) {
          ProductShape shape = Shape(20, 28, depth, false, transpose_b, 4);
          shape.epilogue = epilogue;
          shape.accumulate = accumulate;
          ExpectProduct(shape);
        }
      }
    }
  }
}

}  // namespace
}  // namespace slim::test
