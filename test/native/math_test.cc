#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <vector>

#include "test.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "math_test.cc"
#include "cpu/dispatch.h"
#include "hwy/foreach_target.h"
// Compiled once a target, so after foreach_target.h:
#include "cpu/math-inl.h"

#ifndef SLIM_MATH_TEST_TABLE
#define SLIM_MATH_TEST_TABLE
namespace slim {

// In place, on a multiple of 64 floats.
struct MathTable {
  void (*exp)(float* x, size_t count);
  void (*sigmoid)(float* x, size_t count);
  void (*tanh)(float* x, size_t count);
  void (*hard_sigmoid)(float* x, size_t count);
  void (*relu)(float* x, size_t count);
};

}  // namespace slim
#endif

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {

template <Floats (*kFunction)(Floats)>
void Apply(float* x, size_t count) {
  for (size_t i = 0; i < count; i += kLanes) hn::StoreU(kFunction(hn::LoadU(kFloats, x + i)), kFloats, x + i);
}

Floats RunExp(Floats x) { return Exp(x); }
Floats RunSigmoid(Floats x) { return Sigmoid(x); }
Floats RunTanh(Floats x) { return Tanh(x); }
Floats RunHardSigmoid(Floats x) { return HardSigmoid(x); }
Floats RunRelu(Floats x) { return Relu(x); }

extern const MathTable kMathTable;
const MathTable kMathTable = {Apply<RunExp>, Apply<RunSigmoid>, Apply<RunTanh>, Apply<RunHardSigmoid>, Apply<RunRelu>};

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slim {

SLIM_CHOOSE_TABLE(MathTable, kMathTable)

namespace {

constexpr size_t kBlock = 4096;

using InPlace = void (*)(float*, size_t);

// Floats of all kinds: every 4001st bit pattern, from both zeros over denormals to infinities and NaN.
std::vector<float> AllKinds() {
  std::vector<float> values;
  for (uint64_t bits = 0; bits <= 0xffffffffu; bits += 4001) {
    const uint32_t pattern = static_cast<uint32_t>(bits);
    float value;
    std::memcpy(&value, &pattern, sizeof(value));
    values.push_back(value);
  }
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float value : {0.0f, -0.0f, infinity, -infinity, std::nanf("")}) values.push_back(value);
  values.resize((values.size() + kBlock - 1) / kBlock * kBlock, 0.5f);
  return values;
}

bool IsNormal(double value) {
  return value >= std::numeric_limits<float>::min() && value <= std::numeric_limits<float>::max();
}

// The largest relative error where the exact result is a normal float; counts NaN that did not stay NaN as infinite.
double WorstError(InPlace function, const std::function<double(double)>& exact) {
  const std::vector<float> x = AllKinds();
  std::vector<float> y = x;
  function(y.data(), y.size());
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(x[i]) != std::isnan(y[i])) return std::numeric_limits<double>::infinity();
    const double expected = exact(x[i]);
    if (!IsNormal(std::abs(expected))) continue;
    worst = std::max(worst, std::abs(y[i] - expected) / std::abs(expected));
  }
  return worst;
}

double WorstAbsoluteError(InPlace function, const std::function<double(double)>& exact) {
  const std::vector<float> x = AllKinds();
  std::vector<float> y = x;
  function(y.data(), y.size());
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (!std::isnan(x[i])) worst = std::max(worst, std::abs(y[i] - exact(x[i])));
  }
  return worst;
}

float At(InPlace function, float x) {
  std::vector<float> block(64, x);
  function(block.data(), block.size());
  return block[17];
}

TEST("exp is within 1e-7 of the exact value over all floats") {
  EXPECT(WorstError(ChosenMathTable().exp, [](double x) { return std::exp(x); }) <= 1.0e-7);
}

double ExactSigmoid(double x) { return 1 / (1 + std::exp(-x)); }

TEST("sigmoid is within 1e-7 of the exact value over all floats, and near it in relation too") {
  const InPlace sigmoid = ChosenMathTable().sigmoid;
  EXPECT(WorstAbsoluteError(sigmoid, ExactSigmoid) <= 1.0e-7);
  EXPECT(WorstError(sigmoid, ExactSigmoid) <= 4.0e-6);
  EXPECT(WorstError(sigmoid, [](double x) { return x < -10 ? 0 : ExactSigmoid(x); }) <= 6.0e-7);
}

TEST("tanh is within 2.5e-7 of the exact value over all floats, and within 5e-7 of it in relation") {
  const InPlace tanh = ChosenMathTable().tanh;
  EXPECT(WorstAbsoluteError(tanh, [](double x) { return std::tanh(x); }) <= 2.5e-7);
  EXPECT(WorstError(tanh, [](double x) { return std::tanh(x); }) <= 5.0e-7);
}

TEST("hard sigmoid is the clipped line") {
  EXPECT(WorstError(ChosenMathTable().hard_sigmoid, [](double x) {
           const double line = 0.2f * x + 0.5;
           // Near -2.5 the line is lost to rounding whatever one does: one unit of 0.5 is granted there.
           return line <= 0 ? 0 : line >= 1 ? 1 : line < 1e-3 ? 0 : line;
         }) <= 1e-4);
  EXPECT_EQ(At(ChosenMathTable().hard_sigmoid, -2.5f), 0.0f);
  EXPECT_EQ(At(ChosenMathTable().hard_sigmoid, -7.0f), 0.0f);
  EXPECT_EQ(At(ChosenMathTable().hard_sigmoid, 0.0f), 0.5f);
  EXPECT_EQ(At(ChosenMathTable().hard_sigmoid, 2.5f), 1.0f);
  EXPECT_EQ(At(ChosenMathTable().hard_sigmoid, 7.0f), 1.0f);
}

TEST("relu keeps what is positive") {
  EXPECT_EQ(WorstError(ChosenMathTable().relu, [](double x) { return x > 0 ? x : 0; }), 0.0);
  EXPECT_EQ(At(ChosenMathTable().relu, -3.0f), 0.0f);
}

TEST("limits are reached exactly and never passed") {
  const float infinity = std::numeric_limits<float>::infinity();
  const MathTable& math = ChosenMathTable();
  EXPECT_EQ(At(math.exp, infinity), infinity);
  EXPECT_EQ(At(math.exp, 89.0f), infinity);
  EXPECT_EQ(At(math.exp, -infinity), 0.0f);
  EXPECT_EQ(At(math.exp, 0.0f), 1.0f);
  EXPECT_EQ(At(math.sigmoid, infinity), 1.0f);
  EXPECT_EQ(At(math.sigmoid, -infinity), 0.0f);
  EXPECT_EQ(At(math.sigmoid, 0.0f), 0.5f);
  EXPECT_EQ(At(math.tanh, infinity), 1.0f);
  EXPECT_EQ(At(math.tanh, -infinity), -1.0f);
  EXPECT_EQ(At(math.tanh, 9.1f), 1.0f);
  EXPECT_EQ(At(math.tanh, -9.1f), -1.0f);
  EXPECT_EQ(At(math.tanh, 0.0f), 0.0f);
  std::vector<float> y = AllKinds();
  math.tanh(y.data(), y.size());
  for (const float value : y) {
    if (std::abs(value) > 1.0f) EXPECT_EQ(value, 1.0f);
  }
}

}  // namespace
}  // namespace slim
#endif
