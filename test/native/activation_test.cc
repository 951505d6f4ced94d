#include "cpu/activation.h"

#include "activation_reference.h"
#include "arrays.h"
#include "test.h"
#include "thread_pool.h"

namespace slim::test {
namespace {

TEST("elementwise activations and their gradients follow the formulas") {
  for (const Activation activation :
       {Activation::kLinear, Activation::kRelu, Activation::kTanh, Activation::kSigmoid, Activation::kHardSigmoid}) {
    for (const int64_t count : {1, 17, 40001}) {
      const FloatArray x = RandomFloats(count, 8, 2.9f), dy = RandomFloats(count, 9);
      std::vector<double> y_plain, dx_plain;
      for (size_t i = 0; i < x.size(); ++i) {
        y_plain.push_back(reference::Activate(activation, x[i]));
        dx_plain.push_back(dy[i] * reference::Derivative(activation, y_plain.back()));
      }
      ThreadPool pool(2);
      FloatArray y = x, dx = dy;
      ActivationForward(pool, activation, count, 1, y.data(), y.data());
      ActivationBackward(pool, activation, count, 1, y.data(), dx.data(), dx.data());
      EXPECT_NEAR(RelativeError(y, y_plain), 0, 2e-7);
      EXPECT_NEAR(RelativeError(dx, dx_plain), 0, 2e-6);
    }
  }
}

TEST("softmax over rows of any width, and its gradient") {
  for (const int64_t width : {1, 2, 5, 16, 20, 130}) {
    const int64_t rows = 37;
    const FloatArray x = RandomFloats(rows * width, 10, 30.0f), dy = RandomFloats(rows * width, 11);
    std::vector<double> y_plain(x.size()), dx_plain(x.size());
    for (int64_t r = 0; r < rows; ++r) {
      const size_t at = static_cast<size_t>(r * width), end = at + static_cast<size_t>(width);
      double sum = 0, dot = 0;
      for (size_t i = at; i < end; ++i) sum += std::exp(double{x[i]});
      for (size_t i = at; i < end; ++i) y_plain[i] = std::exp(double{x[i]}) / sum;
      for (size_t i = at; i < end; ++i) dot += y_plain[i] * dy[i];
      for (size_t i = at; i < end; ++i) dx_plain[i] = y_plain[i] * (dy[i] - dot);
    }
    ThreadPool pool(2);
    FloatArray y = x, dx = dy;
    ActivationForward(pool, Activation::kSoftmax, rows, width, y.data(), y.data());
    ActivationBackward(pool, Activation::kSoftmax, rows, width, y.data(), dx.data(), dx.data());
    EXPECT_NEAR(RelativeError(y, y_plain), 0, 1e-6);
    EXPECT_NEAR(RelativeError(dx, dx_plain), 0, 2e-6);
  }
}

TEST("softmax of large numbers does not overflow") {
  ThreadPool pool(1);
  FloatArray y = {1e30f, -1e30f, 1e30f};
  ActivationForward(pool, Activation::kSoftmax, 1, 3, y.data(), y.data());
  EXPECT_EQ(y[0], 0.5f);
  EXPECT_EQ(y[1], 0.0f);
  EXPECT_EQ(y[2], 0.5f);
}

TEST("NaN passes through every activation") {
  for (const Activation activation : {Activation::kLinear, Activation::kRelu, Activation::kTanh, Activation::kSigmoid,
                                      Activation::kHardSigmoid, Activation::kSoftmax}) {
    ThreadPool pool(1);
    FloatArray y = {NAN};
    ActivationForward(pool, activation, 1, 1, y.data(), y.data());
    EXPECT(std::isnan(y[0]));
  }
}

}  // namespace
}  // namespace slim::test
