// What the CUDA device asks of cuBLASLt is the product it means: cuBLASLt is stood in for by its documentation in plain
// loops (test/fake-cuda/fake_cublaslt.cc). Compiled where cuBLASLt's headers are.

#if defined(SLIM_LSTM_FAKE_CUBLASLT_LIBRARY)

#include "cuda/cublaslt.h"

#include <cstdlib>
#include <filesystem>

#include "arrays.h"
#include "caught.h"
#include "cuda_runtime_on_host.h"
#include "test.h"

namespace slim::test {
namespace {

using cuda::CublasLt;
using cuda::ProductEpilogue;
using cuda::ProductOperands;
using cuda::ProductShape;

// cuBLASLt is looked for once in a process, so every test begins with this.
std::unique_ptr<CublasLt> Open(Precision precision = Precision::kFloat32) {
  const std::filesystem::path library = SLIM_LSTM_FAKE_CUBLASLT_LIBRARY;
  setenv("SLIM_LSTM_CUDA_LIBRARIES", library.parent_path().c_str(), 1);
  auto opened = CublasLt::Make(precision);
  unsetenv("SLIM_LSTM_CUDA_LIBRARIES");
  return opened;
}

bool HasBias(ProductEpilogue epilogue) {
  return epilogue == ProductEpilogue::kBias || epilogue == ProductEpilogue::kBiasRelu;
}

bool HasRelu(ProductEpilogue epilogue) {
  return epilogue == ProductEpilogue::kRelu || epilogue == ProductEpilogue::kBiasRelu;
}

// The definition in product_shape.h, element by element.
void ExpectProduct(CublasLt& products, const ProductShape& shape) {
  const FloatArray a = RandomFloats((shape.transpose_a ? shape.depth : shape.rows) * shape.a_stride, 1);
  const FloatArray b = RandomFloats((shape.transpose_b ? shape.columns : shape.depth) * shape.b_stride, 2);
  const FloatArray before = RandomFloats(shape.rows * shape.c_stride, 3);
  const FloatArray bias_before = RandomFloats(shape.columns, 4);
  FloatArray c = before;
  FloatArray bias = bias_before;
  REQUIRE(products.Multiply(shape, {a.data(), b.data(), c.data(), bias.data()}, nullptr, nullptr));

  const auto a_at = [&](int64_t row, int64_t k) {
    return double{a[static_cast<size_t>(shape.transpose_a ? k * shape.a_stride + row : row * shape.a_stride + k)]};
  };
  const auto b_at = [&](int64_t k, int64_t column) {
    return double{
        b[static_cast<size_t>(shape.transpose_b ? column * shape.b_stride + k : k * shape.b_stride + column)]};
  };
  FloatArray expected = before;
  FloatArray expected_bias = bias_before;
  for (int64_t column = 0; column < shape.columns; ++column) {
    double gradient = 0;
    for (int64_t k = 0; k < shape.depth; ++k) gradient += b_at(k, column);
    const auto place = static_cast<size_t>(column);
    if (shape.epilogue == ProductEpilogue::kBiasGradient) expected_bias[place] = static_cast<float>(gradient);
    for (int64_t row = 0; row < shape.rows; ++row) {
      const auto at = static_cast<size_t>(row * shape.c_stride + column);
      double sum = shape.accumulate ? before[at] : 0;
      for (int64_t k = 0; k < shape.depth; ++k) sum += a_at(row, k) * b_at(k, column);
      if (HasBias(shape.epilogue)) sum += bias_before[place];
      if (HasRelu(shape.epilogue)) sum = std::max(sum, 0.0);
      expected[at] = static_cast<float>(sum);
    }
  }
  for (size_t i = 0; i < c.size(); ++i) EXPECT_NEAR(c[i], expected[i], 1e-5);
  for (size_t i = 0; i < bias.size(); ++i) EXPECT_NEAR(bias[i], expected_bias[i], 1e-5);
}

TEST("cuBLASLt reports its version and its file") {
  REQUIRE(Open() != nullptr);
  EXPECT_EQ(cuda::CublasLtLibrary().version, "13.2.3");
  EXPECT_EQ(cuda::CublasLtLibrary().path, SLIM_LSTM_FAKE_CUBLASLT_LIBRARY);
  EXPECT_EQ(cuda::CublasLtLibrary().reason, "");
}

TEST("cuBLASLt is asked for the product that is meant, by every way its operands may lie and every epilogue") {
  const auto products = Open();
  REQUIRE(products != nullptr);
  for (const bool transpose_a : {false, true}) {
    for (const bool transpose_b : {false, true}) {
      for (const bool accumulate : {false, true}) {
        for (const auto epilogue : {ProductEpilogue::kNone, ProductEpilogue::kBias, ProductEpilogue::kRelu,
                                    ProductEpilogue::kBiasRelu, ProductEpilogue::kBiasGradient}) {
          ProductShape shape{.rows = 5,
                             .columns = 7,
                             .depth = 3,
                             .transpose_a = transpose_a,
                             .transpose_b = transpose_b,
                             .a_stride = transpose_a ? 6 : 4,
                             .b_stride = transpose_b ? 3 : 9,
                             .c_stride = 8,
                             .epilogue = epilogue,
                             .accumulate = accumulate};
          ExpectProduct(*products, shape);
          // The plan of the first time serves other operands.
          ExpectProduct(*products, shape);
        }
      }
    }
  }
}

// Integers, a little above: the operands of the products that are rounded to them.
TEST("cuBLASLt multiplies in the precision that is asked for") {
  constexpr Precision kPrecisions[] = {Precision::kFloat32, Precision::kTf32, Precision::kBfloat16};
  const ProductShape shape = cuda::ProductNN(5, 7, 3);
  for (const auto& [excess, first_to_drop_it] : {std::pair{0x1p-13f, 1}, {0x1p-10f, 2}}) {
    FloatArray a(15), b(21), expected(35, 0.0f);
    for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i % 4) + 1;
    for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i % 5) - 7;
    for (size_t i = 0; i < 35; ++i) {
      for (size_t k = 0; k < 3; ++k) expected[i] += a[i / 7 * 3 + k] * b[k * 7 + i % 7];
    }
    for (float& value : a) value *= 1 + excess;
    for (int i = 0; i < 3; ++i) {
      FloatArray c(35);
      const auto products = Open(kPrecisions[i]);
      REQUIRE(products->Multiply(shape, {a.data(), b.data(), c.data(), nullptr}, nullptr, nullptr));
      EXPECT_EQ(c == expected, i >= first_to_drop_it);
    }
  }
}

TEST("a product that cuBLASLt has no algorithm for is left to others, and stays so") {
  const auto products = Open();
  REQUIRE(products != nullptr);
  const ProductShape shape = cuda::ProductNN(2, 13, 3);
  const FloatArray a(6, 1.0f);
  const FloatArray b(39, 1.0f);
  FloatArray c(26, 5.0f);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(products->Multiply(shape, {a.data(), b.data(), c.data(), nullptr}, nullptr, nullptr), false);
  }
  EXPECT_EQ(c == FloatArray(26, 5.0f), true);
}

TEST("a failure of cuBLASLt is told with the product; where the device is lost, it is told as that") {
  const auto products = Open();
  REQUIRE(products != nullptr);
  const auto failure = [&](int64_t columns) {
    const ProductShape shape{2, columns, 3, false, false, 3, columns, columns, ProductEpilogue::kNone, false};
    const FloatArray a(6, 1.0f), b(static_cast<size_t>(3 * columns), 1.0f);
    FloatArray c(static_cast<size_t>(2 * columns));
    return ErrorOf([&] { products->Multiply(shape, {a.data(), b.data(), c.data(), nullptr}, nullptr, nullptr); });
  };
  constexpr int64_t kFails = 17, kLacksMemory = 19;
  const std::string words = "ERR_DEVICE: cuBLASLt failed in cublasLtMatmul for [2, 3] x [3, 17]: another failure";
  EXPECT(failure(kFails).code == ErrorCode::kDevice);
  EXPECT_EQ(failure(kFails).text, words);
  EXPECT(failure(kLacksMemory).code == ErrorCode::kOutOfMemory);
  const LostDevice lost(cudaErrorIllegalAddress);
  for (const int64_t columns : {kFails, kLacksMemory}) {
    EXPECT(failure(columns).code == ErrorCode::kDeviceLost);
    EXPECT_TELLS(failure(columns).text,
                 "; the CUDA device: a failure (its name); this process can no longer use the device");
  }
}

}  // namespace
}  // namespace slim::test

#endif
