#include "cpu/product.h"

#include <cstring>
#include <vector>

#include "arrays.h"
#include "cpu/memory.h"
#include "product_reference.h"
#include "product_result.h"
#include "test.h"
#include "thread_pool.h"

namespace slim::test {
namespace {

std::vector<float> Transpose(const std::vector<float>& x, size_t rows, size_t columns) {
  std::vector<float> result(x.size());
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < columns; ++j) result[j * rows + i] = x[i * columns + j];
  }
  return result;
}

struct Packed {
  AlignedBuffer storage;
  PackedMatrix matrix;
};

Packed PackDense(const std::vector<float>& b, size_t depth, size_t columns) {
  Packed packed{AlignedBuffer(PackedSize(depth, columns) * sizeof(float)), {}};
  packed.matrix = Pack(b.data(), columns, depth, columns, packed.storage.floats());
  return packed;
}

// a times b, written to c, whose rows are `stride` apart.
Product ProductOf(const LeftRows& a, size_t rows, const Packed& b, std::vector<float>& c, size_t stride) {
  Product product;
  product.a = a;
  product.rows = rows;
  product.b = b.matrix;
  product.c = c.data();
  product.c_stride = stride;
  return product;
}

// `b` is what was packed.
void ExpectPlain(const Product& product, const std::vector<float>& b, ThreadPool& pool, double tolerance) {
  const size_t columns = product.b.columns;
  const std::vector<double> expected = reference::Multiply(product, b.data(), product.b.depth, columns);
  Multiply(product, pool);
  EXPECT_NEAR(RelativeError(product.c, product.c_stride, expected.data(), product.rows, columns), 0, tolerance);
}

// Of chains of thousands of multiply-adds.
constexpr double kDeepTolerance = 1e-5;

TEST("a product equals the plain loops over odd shapes") {
  ThreadPool pool(2);
  for (const size_t rows : {1, 2, 5, 6, 7, 13, 64, 131}) {
    for (const size_t columns : {1, 4, 15, 16, 17, 33, 48, 64, 65, 100, 130}) {
      for (const size_t depth : {1, 3, 28, 127}) {
        const std::vector<float> a = RandomFloats(rows * depth, 1);
        const std::vector<float> b = RandomFloats(depth * columns, 2);
        const Packed packed = PackDense(b, depth, columns);
        ProductResult c(rows, columns);
        ExpectPlain(ProductOf({a.data(), depth}, rows, packed, c.values, c.stride), b, pool, kTolerance);
        EXPECT(c.GapsAreUntouched());
      }
    }
  }
}

TEST("bias, accumulation and every activation come out as the plain loops have them") {
  ThreadPool pool(1);
  const size_t rows = 19;
  const size_t depth = 40;
  for (const size_t columns : {20, 64, 77}) {
    const std::vector<float> a = RandomFloats(rows * depth, 3);
    const std::vector<float> b = RandomFloats(depth * columns, 4);
    const std::vector<float> bias = RandomFloats(columns, 5);
    const Packed packed = PackDense(b, depth, columns);
    for (const Activation activation :
         {Activation::kLinear, Activation::kRelu, Activation::kTanh, Activation::kSigmoid, Activation::kHardSigmoid}) {
      for (const bool accumulate : {false, true}) {
        for (const float* with_bias : {static_cast<const float*>(nullptr), bias.data()}) {
          std::vector<float> c = RandomFloats(rows * columns, 6);
          Product product = ProductOf({a.data(), depth}, rows, packed, c, columns);
          product.bias = with_bias;
          product.accumulate = accumulate;
          product.activation = activation;
          ExpectPlain(product, b, pool, kTolerance);
        }
      }
    }
  }
}

TEST("a product deeper than one pass applies bias and activation once") {
  ThreadPool pool(2);
  const size_t rows = 9;
  const size_t columns = 70;
  for (const size_t depth : {1023, 1024, 1025, 3000}) {
    const std::vector<float> a = RandomFloats(rows * depth, 7);
    const std::vector<float> b = RandomFloats(depth * columns, 8);
    const std::vector<float> bias = RandomFloats(columns, 9);
    const Packed packed = PackDense(b, depth, columns);
    std::vector<float> c = RandomFloats(rows * columns, 10);
    Product product = ProductOf({a.data(), depth}, rows, packed, c, columns);
    product.bias = bias.data();
    product.accumulate = true;
    product.activation = Activation::kTanh;
    ExpectPlain(product, b, pool, kDeepTolerance);
  }
}

TEST("rows may overlap, lie in runs, or be named by an index") {
  ThreadPool pool(2);
  const size_t channels = 7;
  const size_t taps = 5;
  const size_t depth = taps * channels;
  const size_t columns = 24;
  const size_t run = 11;
  const size_t runs = 4;
  const size_t run_floats = (run - 1) * channels + depth;
  const std::vector<float> a = RandomFloats(runs * run_floats, 11);
  const std::vector<float> b = RandomFloats(depth * columns, 12);
  const std::vector<int32_t> index = {3, 0, 0, 9, 10, 2, 7, 3, 1, 8, 5, 4, 6};
  const Packed packed = PackDense(b, depth, columns);
  const LeftRows kinds[] = {
      {a.data(), channels, SIZE_MAX, 0, nullptr},
      {a.data(), channels, run, run_floats, nullptr},
      {a.data(), channels, SIZE_MAX, 0, index.data()},
  };
  const size_t rows_of_kind[] = {run, runs * run, index.size()};
  for (int kind = 0; kind < 3; ++kind) {
    const size_t rows = rows_of_kind[kind];
    std::vector<float> c(rows * columns);
    ExpectPlain(ProductOf(kinds[kind], rows, packed, c, columns), b, pool, kTolerance);
  }
}

TEST("a part writes its own rows and panels alone") {
  const size_t rows = 30;
  const size_t depth = 8;
  const size_t columns = 3 * PanelVectors() * VectorLanes() - 1;
  const std::vector<float> a = RandomFloats(rows * depth, 13);
  const std::vector<float> b = RandomFloats(depth * columns, 14);
  const Packed packed = PackDense(b, depth, columns);
  std::vector<float> c(rows * columns, kUntouched);
  const Product product = ProductOf({a.data(), depth}, rows, packed, c, columns);
  const std::vector<double> expected = reference::Multiply(product, b.data(), depth, columns);
  MultiplyPart(product, 7, 20, 1, 2);
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < columns; ++j) {
      const size_t panel = j / packed.matrix.panel_columns;
      if (i >= 7 && i < 20 && panel == 1) {
        EXPECT_NEAR(c[i * columns + j], expected[i * columns + j], 1e-5);
      } else {
        EXPECT_EQ(c[i * columns + j], kUntouched);
      }
    }
  }
}

TEST("a depth of zero leaves the bias") {
  ThreadPool pool(1);
  const std::vector<float> bias = RandomFloats(20, 15);
  const Packed packed = PackDense({}, 0, 20);
  const float none = 0;
  std::vector<float> c(size_t{3} * 20, kUntouched);
  Product product = ProductOf({&none, 0}, 3, packed, c, 20);
  product.bias = bias.data();
  Multiply(product, pool);
  for (size_t i = 0; i < c.size(); ++i) EXPECT_EQ(c[i], bias[i % 20]);
}

TEST("products are the same bits for any number of threads") {
  const size_t depth = 300;
  for (const size_t rows : {40, 700}) {
    for (const size_t columns : {90, 513}) {
      const std::vector<float> a = RandomFloats(rows * depth, 16);
      const std::vector<float> b = RandomFloats(depth * columns, 17);
      const Packed packed = PackDense(b, depth, columns);
      std::vector<float> first;
      for (const int threads : {1, 2, 3, 7}) {
        ThreadPool pool(threads);
        std::vector<float> c(rows * columns);
        Multiply(ProductOf({a.data(), depth}, rows, packed, c, columns), pool);
        if (first.empty()) first = c;
        EXPECT(std::memcmp(c.data(), first.data(), c.size() * sizeof(float)) == 0);
      }
    }
  }
}

// The element (k, j) of a packed matrix.
float Element(const PackedMatrix& packed, size_t k, size_t j) {
  const size_t panel = j / packed.panel_columns;
  return packed.Panel(panel)[k * packed.PanelWidth(panel) + j % packed.panel_columns];
}

TEST("packing puts every element in its place and fills up with zeros") {
  for (const size_t depth : {1, 5, 16, 37, 64}) {
    for (const size_t columns : {1, 15, 64, 67, 130}) {
      const std::vector<float> b = RandomFloats(depth * columns, 18);
      const std::vector<float> turned = Transpose(b, depth, columns);
      AlignedBuffer one(PackedSize(depth, columns) * sizeof(float));
      AlignedBuffer two(PackedSize(depth, columns) * sizeof(float));
      const PackedMatrix packed = Pack(b.data(), columns, depth, columns, one.floats());
      const PackedMatrix transposed = PackTransposed(turned.data(), depth, depth, columns, two.floats());
      const size_t filled = (columns + VectorLanes() - 1) / VectorLanes() * VectorLanes();
      for (size_t k = 0; k < depth; ++k) {
        for (size_t j = 0; j < filled; ++j) {
          const float expected = j < columns ? b[k * columns + j] : 0.0f;
          EXPECT_EQ(Element(packed, k, j), expected);
          EXPECT_EQ(Element(transposed, k, j), expected);
        }
      }
    }
  }
}

TEST("interleaved blocks put one vector of each block into a panel") {
  for (const size_t blocks : {1, 2, 3, 4}) {
    const size_t units = VectorLanes() * 2 + 3;
    const size_t depth = 21;
    const size_t count = InterleavedColumns(units, blocks);
    std::vector<int32_t> columns(count);
    InterleaveBlocks(units, blocks, columns.data());
    const std::vector<float> b = RandomFloats(depth * blocks * units, 19);
    const std::vector<float> turned = Transpose(b, depth, blocks * units);
    AlignedBuffer one(PackedSize(depth, count) * sizeof(float));
    AlignedBuffer two(PackedSize(depth, count) * sizeof(float));
    const PackedMatrix packed =
        PackColumns(b.data(), blocks * units, depth, columns.data(), count, blocks, one.floats());
    const PackedMatrix from_rows = PackRows(turned.data(), depth, depth, columns.data(), count, blocks, two.floats());
    EXPECT_EQ(packed.Panels(), (units + VectorLanes() - 1) / VectorLanes());
    for (size_t panel = 0; panel < packed.Panels(); ++panel) {
      EXPECT_EQ(packed.PanelWidth(panel), blocks * VectorLanes());
      for (size_t k = 0; k < depth; ++k) {
        for (size_t block = 0; block < blocks; ++block) {
          for (size_t lane = 0; lane < VectorLanes(); ++lane) {
            const size_t unit = panel * VectorLanes() + lane;
            const float expected = unit < units ? b[k * blocks * units + block * units + unit] : 0.0f;
            const size_t j = panel * packed.panel_columns + block * VectorLanes() + lane;
            EXPECT_EQ(Element(packed, k, j), expected);
            EXPECT_EQ(Element(from_rows, k, j), expected);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace slim::test
