#include "program/initializer.h"

#include <algorithm>
#include <cmath>

#include "errors.h"
#include "program/host_memory.h"
#include "program/normal_draw.h"
#include "program/orthogonal.h"
#include "program/sizes.h"

namespace slim {
namespace {

int64_t ElementsOf(const std::vector<int64_t>& shape) {
  int64_t elements = 1;
  for (const int64_t size : shape) elements *= size;
  return elements;
}

void Uniform(const RandomStream& stream, double low, double high, int64_t count, float* values) {
  uint32_t words[4];
  for (int64_t i = 0; i < count; i += 4) {
    stream.Block(static_cast<uint64_t>(i) >> 2, words);
    for (int64_t lane = 0; lane < 4 && i + lane < count; ++lane) {
      values[i + lane] = static_cast<float>(low + (high - low) * UnitInterval(words[lane]));
    }
  }
}

void Normal(const RandomStream& stream, float mean, float stddev, int64_t count, float* values) {
  NormalDraws(stream, 0, count, values);
  for (int64_t i = 0; i < count; ++i) values[i] = mean + stddev * values[i];
}

/// Normal draws without those beyond two standard deviations, which are drawn again.
void TruncatedNormal(const RandomStream& stream, double stddev, int64_t count, float* values) {
  uint32_t words[4];
  float normals[4];
  int64_t written = 0;
  for (uint64_t block = 0; written < count; ++block) {
    stream.Block(block, words);
    NormalsOf(words, normals);
    for (int lane = 0; lane < 4 && written < count; ++lane) {
      if (std::abs(normals[lane]) <= 2.0f) values[written++] = static_cast<float>(stddev * normals[lane]);
    }
  }
}

/// The standard deviation of a standard normal variable cut off at two, by which Keras widens truncated draws.
constexpr double kTruncatedStddev = 0.87962566103423978;

Fans FansFor(const Initializer& initializer, const std::vector<int64_t>& shape) {
  Fans fans = FansOf(shape);
  if (initializer.fan_in > 0) fans.in = static_cast<double>(initializer.fan_in);
  if (initializer.fan_out > 0) fans.out = static_cast<double>(initializer.fan_out);
  return fans;
}

/// One draw over the whole shape.
void Draw(const Initializer& initializer, const std::vector<int64_t>& shape, const RandomStream& stream,
          float* values) {
  const int64_t count = ElementsOf(shape);
  const Fans fans = FansFor(initializer, shape);
  const double mean_fan = (fans.in + fans.out) / 2;
  switch (initializer.kind) {
    case InitializerKind::kZeros:
      std::fill_n(values, count, 0.0f);
      return;
    case InitializerKind::kOnes:
      std::fill_n(values, count, 1.0f);
      return;
    case InitializerKind::kConstant:
      std::fill_n(values, count, initializer.value);
      return;
    case InitializerKind::kUniform:
      return Uniform(stream, initializer.low, initializer.high, count, values);
    case InitializerKind::kNormal:
      return Normal(stream, initializer.mean, initializer.stddev, count, values);
    case InitializerKind::kGlorotUniform:
      return Uniform(stream, -std::sqrt(3 / mean_fan), std::sqrt(3 / mean_fan), count, values);
    case InitializerKind::kGlorotNormal:
      return TruncatedNormal(stream, std::sqrt(1 / mean_fan) / kTruncatedStddev, count, values);
    case InitializerKind::kHeUniform:
      return Uniform(stream, -std::sqrt(6 / fans.in), std::sqrt(6 / fans.in), count, values);
    case InitializerKind::kHeNormal:
      return TruncatedNormal(stream, std::sqrt(2 / fans.in) / kTruncatedStddev, count, values);
    case InitializerKind::kOrthogonal:
      return Orthogonal(stream, count / shape.back(), shape.back(), initializer.gain, values);
    case InitializerKind::kLstmBias: {
      const int64_t from = std::clamp<int64_t>(initializer.ones_from, 0, count);
      const int64_t to = std::clamp<int64_t>(initializer.ones_to, from, count);
      std::fill_n(values, count, 0.0f);
      std::fill(values + from, values + to, 1.0f);
      return;
    }
  }
}

/// A matrix of blocks as it lies in the array.
struct BlockMatrix {
  int64_t rows;
  int64_t width;  // columns of a block
  int64_t blocks;
};

BlockMatrix BlocksOf(const Initializer& initializer, const std::vector<int64_t>& shape) {
  const auto blocks = static_cast<int64_t>(initializer.blocks.size());
  const bool as_rows = initializer.blocks_are_rows;
  if (shape.size() == 2 && (as_rows ? shape[0] == blocks : shape[1] % blocks == 0)) {
    const BlockMatrix matrix =
        as_rows ? BlockMatrix{shape[1], 1, blocks} : BlockMatrix{shape[0], shape[1] / blocks, blocks};
    const int64_t most = kMostElements / matrix.rows;
    const bool fits = std::all_of(initializer.blocks.begin(), initializer.blocks.end(), [&](const DrawnBlock& block) {
      return block.column >= 0 && block.column <= initializer.draw_columns - matrix.width;
    });
    if (fits && initializer.draw_columns <= most) return matrix;
  }
  throw Error(ErrorCode::kInvalidModel,
              "Expected blocks of initial weights that lie within their draws for an array of shape " +
                  ShapeText(shape) + " but they do not");
}

/// Blocks out of draws: each draw is made once for the blocks in a row that share it.
void DrawBlocks(const Initializer& initializer, const std::vector<int64_t>& shape, RandomStream stream, float* values) {
  const auto [rows, width, blocks] = BlocksOf(initializer, shape);
  const int64_t columns = initializer.draw_columns;
  HostArray<float> drawn(static_cast<size_t>(rows * columns), "initial weights");
  stream.stream -= static_cast<uint32_t>(initializer.draws_of_earlier);
  for (int64_t b = 0; b < blocks; ++b) {
    const auto [draw, column] = initializer.blocks[b];
    if (b == 0 || draw != initializer.blocks[b - 1].draw) {
      stream.step = static_cast<uint32_t>(draw);
      Draw(initializer, {rows, columns}, stream, drawn.data());
    }
    float* block = initializer.blocks_are_rows ? values + b * rows : values + b * width;
    const int64_t stride = initializer.blocks_are_rows ? 1 : blocks * width;
    for (int64_t r = 0; r < rows; ++r) std::copy_n(drawn.data() + r * columns + column, width, block + r * stride);
  }
}

}  // namespace

Fans FansOf(const std::vector<int64_t>& shape) {
  if (shape.size() == 1) return {static_cast<double>(shape[0]), static_cast<double>(shape[0])};
  double field = 1;
  for (size_t i = 0; i + 2 < shape.size(); ++i) field *= static_cast<double>(shape[i]);
  return {field * static_cast<double>(shape[shape.size() - 2]), field * static_cast<double>(shape.back())};
}

void Initialize(const Initializer& initializer, const std::vector<int64_t>& shape, const RandomStream& stream,
                float* values) {
  if (initializer.blocks.empty()) {
    Draw(initializer, shape, stream, values);
  } else {
    DrawBlocks(initializer, shape, stream, values);
  }
}

}  // namespace slim
