// The product itself: all ways its operands may lie, in every precision.

#include "cuda/product.h"

#include <cmath>

#include "cuda/device_session.h"
#include "devices.h"
#include "test.h"

namespace slim::test {
namespace {

using cuda::ProductEpilogue;
using cuda::ProductShape;

constexpr Precision kPrecisions[] = {Precision::kFloat32, Precision::kTf32, Precision::kBfloat16};

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

// The relative errors that the precisions stay below.
double Tolerance(Precision precision) {
  switch (precision) {
    case Precision::kFloat32:
      return 2e-6;
    case Precision::kTf32:
      return kTf32Tolerance;
    case Precision::kBfloat16:
      return kBfloat16Tolerance;
  }
  return 0;
}

// C and, where the epilogue makes it, the gradient of the bias; by this library's own kernel.
struct Product {
  FloatArray c, bias;
};

Product Multiplied(int run, const ProductShape& shape, const Matrices& matrices, Precision precision) {
  Bench bench(OpenCudaDevice(run, precision));
  const cuda::DeviceSession session(0, precision);
  float* c = bench.Put(matrices.c);
  float* bias = bench.Put(matrices.bias);
  const float* a = bench.Put(matrices.a);
  const float* b = bench.Put(matrices.b);
  bench->Synchronize();
  MultiplyByOwnKernel(session.context(), shape, {a, b, c, bias});
  if (cudaStreamSynchronize(session.context().stream) != cudaSuccess) Fail(__FILE__, __LINE__, "the product failed");
  return {bench.Get(c, static_cast<int64_t>(matrices.c.size())), bench.Get(bias, shape.columns)};
}

void ExpectProduct(const ProductShape& shape, Precision precision = Precision::kFloat32) {
  const Matrices matrices(shape);
  std::vector<double> bias_gradient;
  const std::vector<double> expected = Expected(shape, matrices, &bias_gradient);
  FloatArray first;
  for (int run = 0; run < CudaRuns(); ++run) {
    const Product product = Multiplied(run, shape, matrices, precision);
    if (run == 0) first = product.c;
    EXPECT(product.c == first);
    EXPECT_NEAR(RelativeError(product.c, expected), 0, Tolerance(precision));
    if (shape.epilogue == ProductEpilogue::kBiasGradient) {
      // A sum of the operand as it is.
      EXPECT_NEAR(RelativeError(product.bias, bias_gradient), 0, Tolerance(Precision::kFloat32));
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

// One operand at the most.
struct Transposition {
  bool a, b;
};
constexpr Transposition kTranspositions[] = {{false, false}, {true, false}, {false, true}};

void ExpectProductsOfEverySize(Precision precision) {
  for (const auto& [transpose_a, transpose_b] : kTranspositions) {
    ExpectProduct(Shape(1, 1, 1, transpose_a, transpose_b), precision);
    ExpectProduct(Shape(5, 3, 7, transpose_a, transpose_b, 2), precision);
    ExpectProduct(Shape(36, 40, 20, transpose_a, transpose_b, 4), precision);
    ExpectProduct(Shape(67, 65, 33, transpose_a, transpose_b), precision);
    ExpectProduct(Shape(64, 72, 36, transpose_a, transpose_b), precision);
    ExpectProduct(Shape(260, 204, 20, transpose_a, transpose_b), precision);
  }
}

TEST("operands that lie either way, in rows of any length, give the product") {
  ExpectProductsOfEverySize(Precision::kFloat32);
}

TEST("and do so in tf32") { ExpectProductsOfEverySize(Precision::kTf32); }

TEST("and do so in bfloat16") { ExpectProductsOfEverySize(Precision::kBfloat16); }

TEST("a deep sum over few rows is taken in parts") {
  for (const Precision precision : kPrecisions) {
    for (const auto& [transpose_a, transpose_b] : kTranspositions) {
      ExpectProduct(Shape(12, 20, 1500, transpose_a, transpose_b), precision);
      ExpectProduct(Shape(3, 5, 1111, transpose_a, transpose_b), precision);
    }
  }
}

TEST("two transposed operands are refused") {
  const ProductShape shape = Shape(4, 4, 4, true, true);
  EXPECT_THROWS(Multiplied(0, shape, Matrices(shape), Precision::kFloat32), Error);
}

TEST("no depth at all gives what is done to zeros") {
  for (const Precision precision : kPrecisions) {
    ProductShape shape = Shape(3, 4, 0, false, false, 4);
    ExpectProduct(shape, precision);
    shape.epilogue = ProductEpilogue::kBias;
    ExpectProduct(shape, precision);
  }
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
          if (!transpose_b) ExpectProduct(shape, accumulate ? Precision::kTf32 : Precision::kBfloat16);
        }
      }
    }
  }
}

TEST("an operand is rounded to the nearest number of the precision") {
  const auto at = [](int exponent) { return std::ldexp(1.0f, exponent); };
  const struct {
    float value, in_tf32, in_bfloat16;
  } rounded[] = {
      {1 + at(-10), 1 + at(-10), 1},
      {1 + at(-7), 1 + at(-7), 1 + at(-7)},
      {1 + at(-12), 1, 1},
      {1 - at(-13), 1, 1},
      {-1 - 3 * at(-12), -1 - at(-10), -1},
      {1 + 3 * at(-9), 1 + 3 * at(-9), 1 + at(-7)},
      // Halfway: tf32 goes away from zero, bfloat16 to the even neighbour.
      {1 + at(-11), 1 + at(-10), 1},
      {1 + at(-8), 1 + at(-8), 1},
      {1 + 3 * at(-8), 1 + 3 * at(-8), 1 + at(-6)},
  };
  const ProductShape shape = Shape(1, 1, 1, false, false);
  const bool has_tf32 = HasPrecision(Precision::kTf32), has_bfloat16 = HasPrecision(Precision::kBfloat16);
  for (const auto& [value, in_tf32, in_bfloat16] : rounded) {
    for (const bool is_left : {true, false}) {
      Matrices matrices(shape);
      matrices.a = {is_left ? value : 1.0f};
      matrices.b = {is_left ? 1.0f : value};
      const auto product = [&](Precision precision) { return Multiplied(0, shape, matrices, precision).c[0]; };
      EXPECT_EQ(product(Precision::kFloat32), value);
      EXPECT_EQ(product(Precision::kTf32), has_tf32 ? in_tf32 : value);
      EXPECT_EQ(product(Precision::kBfloat16), has_bfloat16 ? in_bfloat16 : value);
    }
  }
}

// Small integers, a little above and below: what is rounded to the nearest multiplies as the integers do, exactly.
TEST("every operand is rounded, wherever it lies, and nothing is lost in the sums") {
  for (const auto& [precision, excess] : {std::pair{Precision::kTf32, 0x1p-13f}, {Precision::kBfloat16, 0x1p-10f}}) {
    if (!HasPrecision(precision)) continue;
    const std::pair<int64_t, int64_t> sizes[] = {{37, 35}, {68, 72}, {260, 204}};
    for (const auto& [rows, columns] : sizes) {
      for (const auto& [transpose_a, transpose_b] : kTranspositions) {
        const ProductShape shape = Shape(rows, columns, rows == 37 ? 600 : 36, transpose_a, transpose_b);
        Matrices near(shape);
        for (FloatArray* operand : {&near.a, &near.b}) {
          for (float& value : *operand) value = std::round(8 * value);
        }
        std::vector<double> bias_gradient;
        const std::vector<double> expected = Expected(shape, near, &bias_gradient);
        for (FloatArray* operand : {&near.a, &near.b}) {
          for (size_t i = 0; i < operand->size(); ++i) (*operand)[i] *= i % 3 == 0 ? 1 - excess : 1 + excess;
        }
        const FloatArray c = Multiplied(0, shape, near, precision).c;
        EXPECT_EQ(RelativeError(c, expected), 0.0);
      }
    }
  }
}

}  // namespace
}  // namespace slim::test
