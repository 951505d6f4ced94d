#include "cpu/dense.h"

#include "arrays.h"
#include "test.h"
#include "thread_pool.h"

namespace slim::test {
namespace {

struct DenseCase {
  DenseShape shape;
  int64_t batch;
};

struct Operands {
  FloatArray x, kernel, bias, dy;
  explicit Operands(const DenseCase& c)
      : x(RandomFloats(c.batch * c.shape.rows_per_sample * c.shape.inputs, 1)),
        kernel(RandomFloats(c.shape.inputs * c.shape.units, 2, 0.2f)),
        bias(RandomFloats(c.shape.units, 3)),
        dy(RandomFloats(c.batch * c.shape.rows_per_sample * c.shape.units, 4)) {}
};

struct Plain {
  std::vector<double> y, dkernel, dbias, dx;
};

Plain PlainDense(const DenseCase& c, const Operands& o) {
  const size_t rows = static_cast<size_t>(c.batch * c.shape.rows_per_sample);
  const size_t inputs = static_cast<size_t>(c.shape.inputs), units = static_cast<size_t>(c.shape.units);
  Plain plain{{}, std::vector<double>(o.kernel.size()), std::vector<double>(units), std::vector<double>(o.x.size())};
  for (size_t r = 0; r < rows; ++r) {
    for (size_t n = 0; n < units; ++n) {
      double a = o.bias[n];
      for (size_t k = 0; k < inputs; ++k) a += double(o.x[r * inputs + k]) * o.kernel[k * units + n];
      const bool relu = c.shape.activation == Activation::kRelu;
      const bool tanh = c.shape.activation == Activation::kTanh;
      const double y = relu ? (a > 0 ? a : 0) : tanh ? std::tanh(a) : a;
      const double d = o.dy[r * units + n] * (relu ? (a > 0 ? 1 : 0) : tanh ? 1 - y * y : 1);
      plain.y.push_back(y);
      plain.dbias[n] += d;
      for (size_t k = 0; k < inputs; ++k) {
        plain.dkernel[k * units + n] += o.x[r * inputs + k] * d;
        plain.dx[r * inputs + k] += o.kernel[k * units + n] * d;
      }
    }
  }
  return plain;
}

TEST("a dense layer and its gradients equal the plain sums") {
  const DenseCase cases[] = {
      {{1, 1, 1, Activation::kLinear}, 1},     {{1, 5, 3, Activation::kRelu}, 7},
      {{4, 17, 20, Activation::kTanh}, 3},     {{1, 256, 128, Activation::kRelu}, 33},
      {{37, 130, 64, Activation::kLinear}, 3}, {{1, 128, 20, Activation::kLinear}, 128},
  };
  for (const DenseCase& c : cases) {
    const Operands o(c);
    const Plain plain = PlainDense(c, o);
    for (const int threads : {1, 2}) {
      ThreadPool pool(threads);
      Scratch scratch(DenseScratchBytes(c.shape, c.batch, true, threads));
      FloatArray y = Unwritten(o.dy.size()), dkernel = Unwritten(o.kernel.size()), dbias = Unwritten(o.bias.size());
      FloatArray dx = Unwritten(o.x.size()), dy = o.dy;
      DenseForward(pool, c.shape, c.batch, o.x.data(), o.kernel.data(), o.bias.data(), y.data(), scratch.get());
      DenseBackward(pool, c.shape, c.batch, o.x.data(), o.kernel.data(), y.data(), dy.data(), dkernel.data(),
                    dbias.data(), dx.data(), scratch.get());
      EXPECT_NEAR(RelativeError(y, plain.y), 0, 1e-6);
      EXPECT_NEAR(RelativeError(dkernel, plain.dkernel), 0, 1e-6);
      EXPECT_NEAR(RelativeError(dbias, plain.dbias), 0, 1e-6);
      EXPECT_NEAR(RelativeError(dx, plain.dx), 0, 1e-6);
    }
  }
}

TEST("gradients of a dense layer may be asked for one by one") {
  const DenseCase c{{2, 9, 21, Activation::kRelu}, 5};
  const Operands o(c);
  const Plain plain = PlainDense(c, o);
  ThreadPool pool(2);
  Scratch scratch(DenseScratchBytes(c.shape, c.batch, true, 2));
  FloatArray y = Unwritten(o.dy.size());
  DenseForward(pool, c.shape, c.batch, o.x.data(), o.kernel.data(), o.bias.data(), y.data(), scratch.get());
  const auto backward = [&](float* dkernel, float* dbias, float* dx) {
    FloatArray dy = o.dy;
    DenseBackward(pool, c.shape, c.batch, o.x.data(), o.kernel.data(), y.data(), dy.data(), dkernel, dbias, dx,
                  scratch.get());
  };
  FloatArray dkernel = Unwritten(o.kernel.size()), dbias = Unwritten(o.bias.size()), dx = Unwritten(o.x.size());
  backward(dkernel.data(), nullptr, nullptr);
  EXPECT_NEAR(RelativeError(dkernel, plain.dkernel), 0, 1e-6);
  backward(nullptr, dbias.data(), nullptr);
  EXPECT_NEAR(RelativeError(dbias, plain.dbias), 0, 1e-6);
  backward(nullptr, nullptr, dx.data());
  EXPECT_NEAR(RelativeError(dx, plain.dx), 0, 1e-6);
}

}  // namespace
}  // namespace slim::test
