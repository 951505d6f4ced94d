#include <cstring>
#include <vector>

#include "arrays.h"
#include "cpu/memory.h"
#include "cpu/product.h"
#include "product_reference.h"
#include "product_result.h"
#include "test.h"
#include "thread_pool.h"

namespace slim::test {
namespace {

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
    a = RandomFloats(a_floats + 1, 20);
    dy = RandomFloats(rows * dy_stride + 1, 21);
    db = RandomFloats(shape.columns, 22);
    if (accumulate) {
      const std::vector<float> old = RandomFloats(dw.values.size(), 23);
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
  ProductResult dw;
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
    a = RandomFloats(problem.total_rows * stride + 1, 24);
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
  ProductResult dw;
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
            const ProductResult& dw = problem.dw;
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
}  // namespace slim::test
