#include "program/initializer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "errors.h"
#include "test.h"

namespace slim {
namespace {

constexpr RandomStream kStream{42, 0, kInitializerStream};

std::vector<float> Draw(const Initializer& initializer, const std::vector<int64_t>& shape,
                        const RandomStream& stream = kStream) {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  std::vector<float> values(static_cast<size_t>(count));
  Initialize(initializer, shape, stream, values.data());
  return values;
}

Initializer OfKind(InitializerKind kind) {
  Initializer initializer;
  initializer.kind = kind;
  return initializer;
}

struct Moments {
  double mean = 0, stddev = 0, largest = 0;
};

Moments MomentsOf(const std::vector<float>& values) {
  Moments moments;
  for (const float value : values) moments.mean += value;
  moments.mean /= static_cast<double>(values.size());
  for (const float value : values) {
    moments.stddev += (value - moments.mean) * (value - moments.mean);
    moments.largest = std::max<double>(moments.largest, std::abs(value));
  }
  moments.stddev = std::sqrt(moments.stddev / static_cast<double>(values.size()));
  return moments;
}

/// The largest deviation of the products of columns (or rows, where there are fewer) from those of the identity times
/// gain squared.
double WorstProduct(const std::vector<float>& q, int64_t rows, int64_t columns, double gain) {
  const bool by_column = rows >= columns;
  const int64_t vectors = std::min(rows, columns), length = std::max(rows, columns);
  double worst = 0;
  for (int64_t i = 0; i < vectors; ++i) {
    for (int64_t j = 0; j <= i; ++j) {
      double product = 0;
      for (int64_t k = 0; k < length; ++k) {
        const double a = by_column ? q[k * columns + i] : q[i * columns + k];
        const double b = by_column ? q[k * columns + j] : q[j * columns + k];
        product += a * b;
      }
      worst = std::max(worst, std::abs(product - (i == j ? gain * gain : 0)));
    }
  }
  return worst;
}

TEST("fans are Keras': rows and columns, and for a convolution taps times channels and taps times filters") {
  EXPECT_EQ(FansOf({3, 7}).in, 3);
  EXPECT_EQ(FansOf({3, 7}).out, 7);
  EXPECT_EQ(FansOf({5, 100, 128}).in, 500);
  EXPECT_EQ(FansOf({5, 100, 128}).out, 640);
  EXPECT_EQ(FansOf({9}).in, 9);
  EXPECT_EQ(FansOf({9}).out, 9);
}

TEST("glorotUniform fills +-sqrt(6 / (in + out)) evenly") {
  const auto values = Draw(OfKind(InitializerKind::kGlorotUniform), {300, 500});
  const double limit = std::sqrt(6.0 / 800);
  const Moments moments = MomentsOf(values);
  EXPECT(moments.largest <= limit);
  EXPECT(moments.largest > 0.9999 * limit);
  EXPECT_NEAR(moments.mean, 0, 4 * limit / std::sqrt(3.0 * 150000));
  EXPECT_NEAR(moments.stddev, limit / std::sqrt(3.0), 0.005 * limit);
}

TEST("glorotNormal and heNormal are cut off at two standard deviations of the draw and have Keras' variance") {
  for (const auto kind : {InitializerKind::kGlorotNormal, InitializerKind::kHeNormal}) {
    const auto values = Draw(OfKind(kind), {400, 600});
    const double variance = kind == InitializerKind::kGlorotNormal ? 1.0 / 500 : 2.0 / 400;
    const Moments moments = MomentsOf(values);
    EXPECT_NEAR(moments.stddev, std::sqrt(variance), 0.01 * std::sqrt(variance));
    EXPECT(moments.largest <= 2 * std::sqrt(variance) / 0.87962566103423978 * 1.000001);
    EXPECT_NEAR(moments.mean, 0, 5 * std::sqrt(variance / 240000));
  }
}

TEST("normal has its mean and deviation, and three in a thousand draws beyond three deviations") {
  Initializer initializer = OfKind(InitializerKind::kNormal);
  initializer.mean = 2.0f;
  initializer.stddev = 0.5f;
  const auto values = Draw(initializer, {1000, 1000});
  const Moments moments = MomentsOf(values);
  EXPECT_NEAR(moments.mean, 2, 0.003);
  EXPECT_NEAR(moments.stddev, 0.5, 0.003);
  const auto beyond = std::count_if(values.begin(), values.end(), [](float v) { return std::abs(v - 2) > 1.5f; });
  EXPECT_NEAR(static_cast<double>(beyond), 2700, 300);
}

TEST("uniform lies in its range; ones, zeros and constants are what they say") {
  Initializer uniform = OfKind(InitializerKind::kUniform);
  uniform.low = 1.0f;
  uniform.high = 3.0f;
  for (const float value : Draw(uniform, {1001})) EXPECT(value >= 1.0f && value <= 3.0f);
  for (const float value : Draw(OfKind(InitializerKind::kOnes), {7})) EXPECT_EQ(value, 1.0f);
  for (const float value : Draw(OfKind(InitializerKind::kZeros), {7})) EXPECT_EQ(value, 0.0f);
  Initializer constant = OfKind(InitializerKind::kConstant);
  constant.value = -0.25f;
  for (const float value : Draw(constant, {7})) EXPECT_EQ(value, -0.25f);
}

TEST("lstmBias has ones in the forget gate's part alone, cut to the array") {
  Initializer bias = OfKind(InitializerKind::kLstmBias);
  bias.ones_from = 3;
  bias.ones_to = 6;
  const auto values = Draw(bias, {12});
  for (size_t i = 0; i < 12; ++i) EXPECT_EQ(values[i], i >= 3 && i < 6 ? 1.0f : 0.0f);
  bias.ones_from = -5;
  bias.ones_to = 1000;
  for (const float value : Draw(bias, {12})) EXPECT_EQ(value, 1.0f);
}

TEST("orthogonal gives orthonormal columns or rows, times the gain, at odd shapes") {
  const std::vector<std::pair<int64_t, int64_t>> shapes = {{1, 1},   {5, 5},     {33, 7},  {7, 100},
                                                           {64, 64}, {130, 130}, {31, 33}, {128, 512}};
  for (const auto& [rows, columns] : shapes) {
    Initializer orthogonal = OfKind(InitializerKind::kOrthogonal);
    orthogonal.gain = 1.5f;
    EXPECT_NEAR(WorstProduct(Draw(orthogonal, {rows, columns}), rows, columns, 1.5), 0, 3e-6);
  }
}

TEST("orthogonal is uniform over rotations: entries have mean 0, variance 1 / n and both signs on the diagonal") {
  double sum = 0, squares = 0;
  int positive = 0;
  constexpr int kDraws = 400;
  for (uint32_t draw = 0; draw < kDraws; ++draw) {
    const auto q = Draw(OfKind(InitializerKind::kOrthogonal), {8, 8}, {draw, 0, kInitializerStream});
    positive += q[63] > 0;
    for (const float value : q) sum += value, squares += static_cast<double>(value) * value;
  }
  EXPECT_NEAR(sum / (64 * kDraws), 0, 0.01);
  EXPECT_NEAR(squares / (64 * kDraws), 1.0 / 8, 1e-6);
  EXPECT_NEAR(positive, 0.5 * kDraws, 50);
}

/// Column `column` of a matrix [rows, columns].
std::vector<float> Column(const std::vector<float>& matrix, int64_t columns, int64_t column) {
  std::vector<float> values;
  for (size_t i = static_cast<size_t>(column); i < matrix.size(); i += static_cast<size_t>(columns)) {
    values.push_back(matrix[i]);
  }
  return values;
}

TEST("blocks of draws of their own: each is a matrix of the initializer over the block's shape, and no two are alike") {
  constexpr int64_t kRows = 24, kBlocks = 4;
  Initializer orthogonal = OfKind(InitializerKind::kOrthogonal);
  orthogonal.gain = 1.1f;
  orthogonal.draw_columns = kRows;
  for (int64_t b = 0; b < kBlocks; ++b) orthogonal.blocks.push_back({b, 0});
  const auto packed = Draw(orthogonal, {kRows, kBlocks * kRows});
  std::vector<std::vector<float>> matrices;
  for (int64_t b = 0; b < kBlocks; ++b) {
    std::vector<float> matrix;
    for (int64_t r = 0; r < kRows; ++r) {
      const auto row = packed.begin() + (r * kBlocks + b) * kRows;
      matrix.insert(matrix.end(), row, row + kRows);
    }
    EXPECT_NEAR(WorstProduct(matrix, kRows, kRows, 1.1), 0, 3e-6);
    for (const auto& other : matrices) EXPECT(matrix != other);
    matrices.push_back(matrix);
  }
  Initializer glorot = OfKind(InitializerKind::kGlorotUniform);
  glorot.draw_columns = kRows;
  glorot.blocks = {{0, 0}, {1, 0}};
  const double limit = std::sqrt(6.0 / (1000 + kRows));
  const Moments moments = MomentsOf(Draw(glorot, {1000, 2 * kRows}));
  EXPECT(moments.largest <= limit && moments.largest > 0.999 * limit);
}

TEST("blocks of one draw in two arrays: together they are the draw, whose rows are orthonormal") {
  constexpr int64_t kUnits = 10, kColumns = kUnits + 3;
  Initializer full = OfKind(InitializerKind::kOrthogonal);
  full.draw_columns = kColumns;
  full.blocks = {{0, 2}};
  Initializer diagonal = full;
  diagonal.blocks = {{0, 0}, {0, 1}, {0, kColumns - 1}};
  diagonal.blocks_are_rows = true;
  diagonal.draws_of_earlier = 1;
  const auto whole = Draw(OfKind(InitializerKind::kOrthogonal), {kUnits, kColumns});
  const auto matrix = Draw(full, {kUnits, kUnits});
  const auto rows = Draw(diagonal, {3, kUnits}, {42, 0, kInitializerStream + 1});
  for (int64_t c = 0; c < kUnits; ++c) EXPECT(Column(matrix, kUnits, c) == Column(whole, kColumns, 2 + c));
  for (int64_t d = 0; d < 3; ++d) {
    const std::vector<float> row(rows.begin() + d * kUnits, rows.begin() + (d + 1) * kUnits);
    EXPECT(row == Column(whole, kColumns, diagonal.blocks[d].column));
  }
  EXPECT_NEAR(WorstProduct(whole, kUnits, kColumns, 1), 0, 3e-6);
}

TEST("blocks that do not lie within their draws, or do not fill the array, are refused") {
  const auto refused = [](std::vector<DrawnBlock> blocks, int64_t columns, bool as_rows,
                          const std::vector<int64_t>& shape) {
    Initializer initializer = OfKind(InitializerKind::kGlorotUniform);
    initializer.blocks = std::move(blocks);
    initializer.draw_columns = columns;
    initializer.blocks_are_rows = as_rows;
    try {
      Draw(initializer, shape);
    } catch (const Error& error) {
      return std::string(error.Code()) == "ERR_INVALID_MODEL";
    }
    return false;
  };
  EXPECT(refused({{0, 1}}, 4, false, {4, 4}));
  EXPECT(refused({{0, -1}}, 8, false, {4, 4}));
  EXPECT(refused({{0, 0}, {1, 0}}, 4, false, {4, 5}));
  EXPECT(refused({{0, 0}}, 4, true, {2, 4}));
  EXPECT(refused({{0, 0}}, 4, false, {4}));
  EXPECT(refused({{0, 0}}, int64_t{1} << 45, false, {4, 4}));
}

TEST("the same stream draws the same values, another stream others") {
  for (const auto kind :
       {InitializerKind::kGlorotUniform, InitializerKind::kGlorotNormal, InitializerKind::kOrthogonal}) {
    const auto a = Draw(OfKind(kind), {20, 30});
    EXPECT(a == Draw(OfKind(kind), {20, 30}));
    EXPECT(a != Draw(OfKind(kind), {20, 30}, {42, 0, kInitializerStream + 1}));
    EXPECT(a != Draw(OfKind(kind), {20, 30}, {43, 0, kInitializerStream}));
  }
}

}  // namespace
}  // namespace slim
