#include "cpu/activation.h"

#include <algorithm>

#include "cpu/parallel_range.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/activation.cc"
#include "cpu/dispatch.h"
#include "hwy/foreach_target.h"
// Compiled once a target, so after foreach_target.h:
#include "cpu/activation-inl.h"
#include "cpu/math-inl.h"
#include "cpu/simd-inl.h"
#include "cpu/spans-inl.h"

#ifndef SLIM_ACTIVATION_TABLE
#define SLIM_ACTIVATION_TABLE
namespace slim {
struct ActivationTable {
  void (*apply)(Activation activation, size_t count, const float* x, float* y);
  void (*apply_derivative)(Activation activation, size_t count, const float* y, const float* dy, float* dx);
  void (*softmax_row)(size_t width, const float* x, float* y);
  void (*softmax_row_backward)(size_t width, const float* y, const float* dy, float* dx);
};
}  // namespace slim
#endif

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {
namespace {

struct Forward {
  size_t count;
  const float* x;
  float* y;

  template <class Function>
  void operator()() const {
    const Function function;
    ForEachSpan(count, [&](size_t i, auto span) HWY_ATTR { Store(function.Value(Load(x + i, span)), y + i, span); });
  }
};

struct Backward {
  size_t count;
  const float* y;
  const float* dy;
  float* dx;

  template <class Function>
  void operator()() const {
    const Function function;
    ForEachSpan(count, [&](size_t i, auto span) HWY_ATTR {
      const Floats derivative = function.Derivative(Load(y + i, span));
      Store(hn::Mul(Load(dy + i, span), derivative), dx + i, span);
    });
  }
};

void Apply(Activation activation, size_t count, const float* x, float* y) {
  WithActivation(activation, Forward{count, x, y});
}

void ApplyDerivative(Activation activation, size_t count, const float* y, const float* dy, float* dx) {
  WithActivation(activation, Backward{count, y, dy, dx});
}

// The largest is subtracted first, so that no exponential overflows.
void SoftmaxRow(size_t width, const float* x, float* y) {
  float largest = x[0];
  for (size_t i = 1; i < width; ++i) largest = std::max(largest, x[i]);
  const Floats shift = hn::Set(kFloats, largest);
  Floats sums = hn::Zero(kFloats);
  ForEachSpan(width, [&](size_t i, auto span) HWY_ATTR {
    const Floats e = Exp(hn::Sub(Load(x + i, span), shift));
    Store(e, y + i, span);
    sums = hn::Add(sums, Within(e, span));
  });
  const Floats scale = hn::Div(hn::Set(kFloats, 1.0f), hn::SumOfLanes(kFloats, sums));
  ForEachSpan(width, [&](size_t i, auto span) HWY_ATTR { Store(hn::Mul(Load(y + i, span), scale), y + i, span); });
}

// dx = y (dy - sum(dy y))
void SoftmaxRowBackward(size_t width, const float* y, const float* dy, float* dx) {
  Floats sums = hn::Zero(kFloats);
  ForEachSpan(width,
              [&](size_t i, auto span) HWY_ATTR { sums = hn::MulAdd(Load(y + i, span), Load(dy + i, span), sums); });
  const Floats mean = hn::SumOfLanes(kFloats, sums);
  ForEachSpan(width, [&](size_t i, auto span) HWY_ATTR {
    const Floats centered = hn::Sub(Load(dy + i, span), mean);
    Store(hn::Mul(Load(y + i, span), centered), dx + i, span);
  });
}

}  // namespace

extern const ActivationTable kActivationTable;
const ActivationTable kActivationTable = {Apply, ApplyDerivative, SoftmaxRow, SoftmaxRowBackward};

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slim {

SLIM_CHOOSE_TABLE(ActivationTable, kActivationTable)

namespace {

size_t RowsPerTask(size_t width) { return std::max<size_t>(1, kElementsPerTask / width); }

}  // namespace

void ActivationForward(ThreadPool& pool, Activation activation, int64_t rows, int64_t width, const float* x, float* y) {
  const ActivationTable& table = ChosenActivationTable();
  const size_t row_width = static_cast<size_t>(width);
  if (activation != Activation::kSoftmax) {
    ParallelRange(pool, static_cast<size_t>(rows) * row_width, kElementsPerTask,
                  [&](size_t begin, size_t end) { table.apply(activation, end - begin, x + begin, y + begin); });
    return;
  }
  ParallelRange(pool, static_cast<size_t>(rows), RowsPerTask(row_width), [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) table.softmax_row(row_width, x + row * row_width, y + row * row_width);
  });
}

void ActivationBackward(ThreadPool& pool, Activation activation, int64_t rows, int64_t width, const float* y,
                        const float* dy, float* dx) {
  const ActivationTable& table = ChosenActivationTable();
  const size_t row_width = static_cast<size_t>(width);
  if (activation != Activation::kSoftmax) {
    ParallelRange(pool, static_cast<size_t>(rows) * row_width, kElementsPerTask, [&](size_t begin, size_t end) {
      table.apply_derivative(activation, end - begin, y + begin, dy + begin, dx + begin);
    });
    return;
  }
  ParallelRange(pool, static_cast<size_t>(rows), RowsPerTask(row_width), [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) {
      const size_t at = row * row_width;
      table.softmax_row_backward(row_width, y + at, dy + at, dx + at);
    }
  });
}

void MultiplyByDerivative(Activation activation, int64_t count, const float* y, const float* dy, float* dx) {
  ChosenActivationTable().apply_derivative(activation, static_cast<size_t>(count), y, dy, dx);
}

}  // namespace slim
#endif  // HWY_ONCE
