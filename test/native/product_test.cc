#include "cpu/product.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "cpu/memory.h"
#include "cpu/product_reference.h"
#include "cpu/thread_pool.h"
#include "test.h"

namespace slim {
namespace {

std::vector<float> Random(size_t count, uint32_t seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1.0f, 1.0f);
  std::vector<float> values(count);
  for (float& value : values) value = uniform(generator);
  return values;
}

std::vector<float> Transpose(const std::vector<float>& x, size_t rows, size_t columns) {
  std::vector<float> result(x.size());
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < columns; ++j) result[j * rows + i] = x[i * columns + j];
  }
  return result;
}

// ||actual - expected|| / ||expected||, over [rows, columns] of an array whose rows are `stride` apart. A norm below
// that of ones counts as theirs: sums that happen to cancel are not held against the rounding of their terms.
double RelativeError(const float* actual, size_t stride, const double* expected, size_t rows, size_t columns) {
  double difference = 0;
  double norm = 0;
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < columns; ++j) {
      const double want = expected[i * columns + j];
      difference += (actual[i * stride + j] - want) * (actual[i * stride + j] - want);
      norm += want * want;
    }
  }
  return std::sqrt(difference / std::max(norm, static_cast<double>(rows * columns)));
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

constexpr float kUntouched = 12345.0f;

// A result with a gap between rows that nothing may write to.
struct Result {
  Result(size_t rows, size_t columns) : columns(columns), stride(columns + 3), values(rows * stride, kUntouched) {}

  bool GapsAreUntouched() const {
    for (size_t i = 0; i < values.size(); ++i) {
      if (i % stride >= columns && values[i] != kUntouched) return false;
    }
    return true;
  }

  size_t columns;
  size_t stride;
  std::vector<float> values;
};

constexpr double kTolerance = 1e-6;

// Of chains of thousands of multiply-adds.
constexpr double kDeepTolerance = 1e-5;

TEST("a product equals the plain loops over odd shapes") {
  ThreadPool pool(2);
  for (const size_t rows : {1, 2, 5, 6, 7, 13, 64, 131}) {
    for (const size_t columns : {1, 4, 15, 16, 17, 33, 48, 64, 65, 100, 130}) {
      for (const size_t depth : {1, 3, 28, 127}) {
        const std::vector<float> a = Random(rows * depth, 1);
        const std::vector<float> b = Random(depth * columns, 2);
        const Packed packed = PackDense(b, depth, columns);
        Result c(rows, columns);
        Product product;
        product.a = {a.data(), depth};
        product.rows = rows;
        product.b = packed.matrix;
        product.c = c.values.data();
        product.c_stride = c.stride;
        const std::vector<double> expected = reference::Multiply(product, b.data(), depth, columns);
        Multiply(product, pool);
        EXPECT_NEAR(RelativeError(c.values.data(), c.stride, expected.data(), rows, columns), 0, kTolerance);
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
    const std::vector<float> a = Random(rows * depth, 3);
    const std::vector<float> b = Random(depth * columns, 4);
    const std::vector<float> bias = Random(columns, 5);
    const Packed packed = PackDense(b, depth, columns);
    for (const Activation activation :
         {Activation::kLinear, Activation::kRelu, Activation::kTanh, Activation::kSigmoid, Activation::kHardSigmoid}) {
      for (const bool accumulate : {false, true}) {
        for (const float* with_bias : {static_cast<const float*>(nullptr), bias.data()}) {
          std::vector<float> c = Random(rows * columns, 6);
          Product product;
          product.a = {a.data(), depth};
          product.rows = rows;
          product.b = packed.matrix;
          product.bias = with_bias;
          product.accumulate = accumulate;
          product.activation = activation;
          product.c = c.data();
          product.c_stride = columns;
          const std::vector<double> expected = reference::Multiply(product, b.data(), depth, columns);
          Multiply(product, pool);
          EXPECT_NEAR(RelativeError(c.data(), columns, expected.data(), rows, columns), 0, kTolerance);
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
    const std::vector<float> a = Random(rows * depth, 7);
    const std::vector<float> b = Random(depth * columns, 8);
    const std::vector<float> bias = Random(columns, 9);
    const Packed packed = PackDense(b, depth, columns);
    std::vector<float> c = Random(rows * columns, 10);
    Product product;
    product.a = {a.data(), depth};
    product.rows = rows;
    product.b = packed.matrix;
    product.bias = bias.data();
    product.accumulate = true;
    product.activation = Activation::kTanh;
    product.c = c.data();
    product.c_stride = columns;
    const std::vector<double> expected = reference::Multiply(product, b.data(), depth, columns);
    Multiply(product, pool);
    EXPECT_NEAR(RelativeError(c.data(), columns, expected.data(), rows, columns), 0, kDeepTolerance);
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
  const std::vector<float> a = Random(runs * run_floats, 11);
  const std::vector<float> b = Random(depth * columns, 12);
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
    Product product;
    product.a = kinds[kind];
    product.rows = rows;
    product.b = packed.matrix;
    product.c = c.data();
    product.c_stride = columns;
    const std::vector<double> expected = reference::Multiply(product, b.data(), depth, columns);
    Multiply(product, pool);
    EXPECT_NEAR(RelativeError(c.data(), columns, expected.data(), rows, columns), 0, kTolerance);
  }
}

TEST("a part writes its own rows and panels alone") {
  const size_t rows = 30;
  const size_t depth = 8;
  const size_t columns = 3 * PanelVectors() * VectorLanes() - 1;
  const std::vector<float> a = Random(rows * depth, 13);
  const std::vector<float> b = Random(depth * columns, 14);
  const Packed packed = PackDense(b, depth, columns);
  std::vector<float> c(rows * columns, kUntouched);
  Product product;
  product.a = {a.data(), depth};
  product.rows = rows;
  product.b = packed.matrix;
  product.c = c.data();
  product.c_stride = columns;
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
  const std::vector<float> bias = Random(20, 15);
  const Packed packed = PackDense({}, 0, 20);
  const float none = 0;
  std::vector<float> c(size_t{3} * 20, kUntouched);
  Product product;
  product.a = {&none, 0};
  product.rows = 3;
  product.b = packed.matrix;
  product.bias = bias.data();
  product.c = c.data();
  product.c_stride = 20;
  Multiply(product, pool);
  for (size_t i = 0; i < c.size(); ++i) EXPECT_EQ(c[i], bias[i % 20]);
}

TEST("products are the same bits for any number of threads") {
  const size_t depth = 300;
  for (const size_t rows : {40, 700}) {
    for (const size_t columns : {90, 513}) {
      const std::vector<float> a = Random(rows * depth, 16);
      const std::vector<float> b = Random(depth * columns, 17);
      const Packed packed = PackDense(b, depth, columns);
      std::vector<float> first;
      for (const int threads : {1, 2, 3, 7}) {
        ThreadPool pool(threads);
        std::vector<float> c(rows * columns);
        Product product;
        product.a = {a.data(), depth};
        product.rows = rows;
        product.b = packed.matrix;
        product.c = c.data();
        product.c_stride = columns;
        Multiply(product, pool);
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
      const std::vector<float> b = Random(depth * columns, 18);
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
    const std::vector<float> b = Random(depth * blocks * units, 19);
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

struct GradientCase {
  size_t depth;
  size_t columns;
  size_t a_stride;
  std::vector<size_t> run_rows;
};

// The operands of a gradient and a place for its result.
struct GradientProblem {
  GradientProblem(const GradientCase& shape, bool accumulate) : dw(shape.depth, shape.columns) {
    size_t a_floats = 0;
    size_t rows = 0;
    for (const size_t run : shape.run_rows) {
      a_floats += run * shape.a_stride + shape.depth;
      rows += run;
    }
    total_rows = rows;
    const size_t dy_stride = shape.columns + 2;
    a = Random(a_floats + 1, 20);
    dy = Random(rows * dy_stride + 1, 21);
    db = Random(shape.columns, 22);
    if (accumulate) {
      const std::vector<float> old = Random(dw.values.size(), 23);
      for (size_t i = 0; i < old.size(); ++i) {
        if (i % dw.stride < dw.columns) dw.values[i] = old[i];
      }
    }
    const float* next_a = a.data();
    const float* next_dy = dy.data();
    for (const size_t run : shape.run_rows) {
      runs.push_back({next_a, next_dy, run});
      next_a += run * shape.a_stride + shape.depth;
      next_dy += run * dy_stride;
    }
    gradient.runs = runs.data();
    gradient.run_count = runs.size();
    gradient.a_stride = shape.a_stride;
    gradient.dy_stride = dy_stride;
    gradient.depth = shape.depth;
    gradient.columns = shape.columns;
    gradient.accumulate = accumulate;
    gradient.dw = dw.values.data();
    gradient.dw_stride = dw.stride;
    gradient.db = db.data();
  }

  void Compute(ThreadPool& pool) {
    const size_t depth = gradient.depth + gradient.second.depth;
    const size_t bytes = WeightGradientScratchBytes(depth, gradient.columns, total_rows, pool.threads());
    AlignedBuffer scratch(bytes);
    std::memset(scratch.data(), 0xff, bytes);  // NaN: what is read before it is written shows
    ComputeWeightGradient(gradient, pool, scratch.data());
  }

  size_t total_rows = 0;
  std::vector<float> a;
  std::vector<float> dy;
  std::vector<float> db;
  Result dw;
  std::vector<RowRun> runs;
  WeightGradient gradient;
};

const std::vector<GradientCase>& GradientCases() {
  static const std::vector<GradientCase> cases = {
      {1, 1, 1, {1}},
      {7, 5, 7, {3, 0, 4}},
      {35, 24, 7, {11, 11, 11, 2}},
      {100, 17, 100, {129}},
      {130, 130, 130, {1, 127, 128, 300}},
      {64, 64, 256, {65}},
      {300, 20, 300, {77, 64}},
      {20, 300, 20, {200}},
      {50, 33, 10, {2500, 700}},
      {40, 70, 40, {100, 128, 20, 30, 500, 96, 144, 47, 49, 1000}},
      {13, 600, 13, {40}},
      {3, 2, 3, {0}},
      {3, 2, 3, {}},
  };
  return cases;
}

TEST("a weight gradient equals the plain loops over odd shapes and runs") {
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    for (const GradientCase& shape : GradientCases()) {
      for (const bool accumulate : {false, true}) {
        GradientProblem problem(shape, accumulate);
        const std::vector<double> expected = reference::WeightGradients(problem.gradient);
        problem.Compute(pool);
        EXPECT_NEAR(
            RelativeError(problem.dw.values.data(), problem.dw.stride, expected.data(), shape.depth, shape.columns), 0,
            kTolerance);
        EXPECT_NEAR(RelativeError(problem.db.data(), shape.columns, expected.data() + shape.depth * shape.columns, 1,
                                  shape.columns),
                    0, kTolerance);
        EXPECT(problem.dw.GapsAreUntouched());
      }
    }
  }
}

TEST("a weight gradient without db leaves the rest the same") {
  ThreadPool pool(2);
  const GradientCase shape{50, 33, 10, {2500, 700}};
  GradientProblem with(shape, false);
  GradientProblem without(shape, false);
  without.gradient.db = nullptr;
  with.Compute(pool);
  without.Compute(pool);
  EXPECT(with.dw.values == without.dw.values);
}

TEST("weight gradients are the same bits for any number of threads") {
  for (const GradientCase& shape : GradientCases()) {
    std::vector<float> first_dw;
    std::vector<float> first_db;
    for (const int threads : {1, 2, 5, 16}) {
      ThreadPool pool(threads);
      GradientProblem problem(shape, false);
      problem.Compute(pool);
      if (threads == 1) {
        first_dw = problem.dw.values;
        first_db = problem.db;
      }
      EXPECT(problem.dw.values == first_dw);
      EXPECT(problem.db == first_db);
    }
  }
}

// A second left operand and the place for its gradient beside a problem's.
struct SecondProblem {
  SecondProblem(GradientProblem& problem, size_t depth, bool accumulate)
      : dw(depth, problem.gradient.columns), first(problem) {
    const size_t stride = depth + 3;
    a = Random(problem.total_rows * stride + 1, 24);
    for (size_t i = 0; accumulate && i < dw.values.size(); ++i) {
      if (i % dw.stride < dw.columns) dw.values[i] = 0.01f * static_cast<float>(i % 97);
    }
    const float* next = a.data();
    for (RowRun& run : problem.runs) {
      run.second_a = next;
      next += run.rows * stride;
    }
    problem.gradient.second = {stride, depth, dw.values.data(), dw.stride};
  }

  // The same gradient as if it were the only one.
  std::vector<double> Expected() const {
    WeightGradient alone = first.gradient;
    std::vector<RowRun> runs = first.runs;
    for (RowRun& run : runs) run.a = run.second_a;
    alone.runs = runs.data();
    alone.a_stride = alone.second.a_stride, alone.depth = alone.second.depth;
    alone.dw = alone.second.dw, alone.dw_stride = alone.second.dw_stride;
    return reference::WeightGradients(alone);
  }

  std::vector<float> a;
  Result dw;
  const GradientProblem& first;
};

TEST("two weight gradients of the same dy equal the plain loops, in the same bits on any number of threads") {
  for (const GradientCase& shape : GradientCases()) {
    for (const size_t depth : {size_t{1}, size_t{40}, size_t{133}}) {
      for (const bool accumulate : {false, true}) {
        std::vector<float> first_dw, second_dw;
        for (const int threads : {1, 2, 5}) {
          ThreadPool pool(threads);
          GradientProblem problem(shape, accumulate);
          SecondProblem second(problem, depth, accumulate);
          const std::vector<double> expected = reference::WeightGradients(problem.gradient);
          const std::vector<double> second_expected = second.Expected();
          problem.Compute(pool);
          if (threads == 1) {
            first_dw = problem.dw.values, second_dw = second.dw.values;
            const size_t columns = shape.columns;
            const Result& dw = problem.dw;
            EXPECT_NEAR(RelativeError(dw.values.data(), dw.stride, expected.data(), shape.depth, columns), 0,
                        kTolerance);
            EXPECT_NEAR(
                RelativeError(second.dw.values.data(), second.dw.stride, second_expected.data(), depth, columns), 0,
                kTolerance);
            EXPECT(dw.GapsAreUntouched());
            EXPECT(second.dw.GapsAreUntouched());
          }
          EXPECT(problem.dw.values == first_dw);
          EXPECT(second.dw.values == second_dw);
        }
      }
    }
  }
}

TEST("the sum over a hundred thousand rows keeps single precision") {
  ThreadPool pool(2);
  const GradientCase shape{6, 5, 6, {100000}};
  GradientProblem problem(shape, false);
  for (float& value : problem.a) value = 0.5f + 0.25f * value;
  for (float& value : problem.dy) value = 0.5f + 0.25f * value;
  const std::vector<double> expected = reference::WeightGradients(problem.gradient);
  problem.Compute(pool);
  EXPECT_NEAR(RelativeError(problem.dw.values.data(), problem.dw.stride, expected.data(), 6, 5), 0, 5e-7);
  EXPECT_NEAR(RelativeError(problem.db.data(), 5, expected.data() + 30, 1, 5), 0, 5e-7);
}

}  // namespace
}  // namespace slim
