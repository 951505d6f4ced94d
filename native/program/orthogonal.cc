#include "program/orthogonal.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "program/normal_draw.h"

/// The matrix of draws is never factored. At each column of a QR decomposition of normal draws, what is left below the
/// diagonal is again normal and independent of the rest, so the reflections may be made of fresh draws at once, and Q
/// is their product (G. W. Stewart, "The efficient generation of random orthogonal matrices with an application to
/// condition estimators", SIAM J. Numer. Anal. 17, 1980). The reflections are applied in panels I - V T V' (R.
/// Schreiber and C. Van Loan, "A storage-efficient WY representation for products of Householder transformations",
/// 1989), so that the work is two products a panel.
namespace slim {
namespace {

constexpr int64_t kPanel = 32;   // reflections applied together
constexpr int64_t kTile = 64;    // columns of Q worked on together
constexpr int64_t kChunk = 256;  // rows of Q copied together

// Four floats, in the vector registers that every target has.
using Lanes = float __attribute__((vector_size(16)));

Lanes Load(const float* x) {
  Lanes lanes;
  std::memcpy(&lanes, x, sizeof lanes);
  return lanes;
}

void Store(float* x, Lanes lanes) { std::memcpy(x, &lanes, sizeof lanes); }

/// Four rows by eight columns of sums.
struct Block {
  Lanes sum[4][2] = {};

  void Add(float a0, float a1, float a2, float a3, const float* b) {
    const Lanes low = Load(b), high = Load(b + 4);
    sum[0][0] += a0 * low, sum[0][1] += a0 * high;
    sum[1][0] += a1 * low, sum[1][1] += a1 * high;
    sum[2][0] += a2 * low, sum[2][1] += a2 * high;
    sum[3][0] += a3 * low, sum[3][1] += a3 * high;
  }
};

/// Reflections `first` to `first + width - 1` of a sequence for matrices of `rows` rows.
struct Panel {
  int64_t first;
  int64_t width;
  int64_t rows;  // from row `first` on
  std::vector<float>
      v;  // [rows rounded up to 4, kPanel]: the vectors as columns, zero beyond width and above their start
  std::vector<double> t;  // [kPanel, kPanel], upper triangle
};

/// The vectors, and in `signs` the sign of each one's diagonal element of R.
void DrawReflections(const RandomStream& stream, int64_t all_rows, Panel& panel, float* signs) {
  std::fill(panel.v.begin(), panel.v.end(), 0.0f);
  std::fill(panel.t.begin(), panel.t.end(), 0.0);
  std::vector<float> column(static_cast<size_t>(panel.rows));
  for (int64_t j = 0; j < panel.width; ++j) {
    const int64_t index = panel.first + j;
    const int64_t length = panel.rows - j;
    NormalDraws(stream, static_cast<uint64_t>(index * all_rows + index), length, column.data());
    double squares = 0;
    for (int64_t r = 0; r < length; ++r) squares += static_cast<double>(column[r]) * column[r];
    const double norm = std::sqrt(squares);
    const double head = column[0];
    const double sign = head < 0 ? -1 : 1;
    signs[index] = static_cast<float>(-sign);
    column[0] = static_cast<float>(head + sign * norm);
    const double length_squared = squares - head * head + static_cast<double>(column[0]) * column[0];
    panel.t[j * kPanel + j] = length_squared > 0 ? 2 / length_squared : 0;
    for (int64_t r = 0; r < length; ++r) panel.v[(j + r) * kPanel + j] = column[r];
  }
}

/// T of the product of the panel's reflections, column by column: T[:j, j] = -tau_j T[:j, :j] V[:, :j]' v_j.
void Accumulate(Panel& panel) {
  std::vector<double> gram(kPanel * kPanel);
  for (int64_t r = 0; r < panel.rows; ++r) {
    const float* row = panel.v.data() + r * kPanel;
    for (int64_t i = 0; i < panel.width; ++i) {
      for (int64_t j = i + 1; j < panel.width; ++j) gram[i * kPanel + j] += static_cast<double>(row[i]) * row[j];
    }
  }
  for (int64_t j = 1; j < panel.width; ++j) {
    const double tau = panel.t[j * kPanel + j];
    for (int64_t i = 0; i < j; ++i) {
      double sum = 0;
      for (int64_t k = i; k < j; ++k) sum += panel.t[i * kPanel + k] * gram[k * kPanel + j];
      panel.t[i * kPanel + j] = -tau * sum;
    }
  }
}

/// w [kPanel, kTile] = V' q for the tile of q [panel.rows, .] of `columns` columns.
void ProjectTile(const Panel& panel, const float* q, int64_t stride, int64_t columns, float* chunk, float* w) {
  std::fill_n(w, kPanel * kTile, 0.0f);
  for (int64_t begin = 0; begin < panel.rows; begin += kChunk) {
    const int64_t rows = std::min(kChunk, panel.rows - begin);
    // The rows of Q lie a power of two apart as a rule, where a cache holds only a few of them at a time.
    for (int64_t r = 0; r < rows; ++r) {
      std::memcpy(chunk + r * kTile, q + (begin + r) * stride, static_cast<size_t>(columns) * sizeof(float));
      std::fill_n(chunk + r * kTile + columns, kTile - columns, 0.0f);
    }
    const float* v = panel.v.data() + begin * kPanel;
    for (int64_t j = 0; j < kPanel; j += 4) {
      for (int64_t c = 0; c < columns; c += 8) {
        Block block;
        for (int64_t r = 0; r < rows; ++r) {
          const float* a = v + r * kPanel + j;
          block.Add(a[0], a[1], a[2], a[3], chunk + r * kTile + c);
        }
        for (int i = 0; i < 4; ++i) {
          float* sums = w + (j + i) * kTile + c;
          Store(sums, Load(sums) + block.sum[i][0]);
          Store(sums + 4, Load(sums + 4) + block.sum[i][1]);
        }
      }
    }
  }
}

/// w = T w, in place: row i takes rows i and below.
void TransformTile(const Panel& panel, float* w) {
  for (int64_t i = 0; i < panel.width; ++i) {
    double sums[kTile] = {};
    for (int64_t k = i; k < panel.width; ++k) {
      const double factor = panel.t[i * kPanel + k];
      for (int64_t c = 0; c < kTile; ++c) sums[c] += factor * w[k * kTile + c];
    }
    for (int64_t c = 0; c < kTile; ++c) w[i * kTile + c] = static_cast<float>(sums[c]);
  }
}

/// q -= V w for the tile.
void SubtractTile(const Panel& panel, const float* w, float* q, int64_t stride, int64_t columns) {
  for (int64_t r = 0; r < panel.rows; r += 4) {
    const float* v = panel.v.data() + r * kPanel;
    for (int64_t c = 0; c < columns; c += 8) {
      Block block;
      for (int64_t j = 0; j < kPanel; ++j) {
        block.Add(v[j], v[kPanel + j], v[2 * kPanel + j], v[3 * kPanel + j], w + j * kTile + c);
      }
      const int64_t rows = std::min<int64_t>(4, panel.rows - r);
      const int64_t width = std::min<int64_t>(8, columns - c);
      for (int64_t i = 0; i < rows; ++i) {
        float* target = q + (r + i) * stride + c;
        for (int64_t k = 0; k < width; ++k) target[k] -= block.sum[i][k / 4][k % 4];
      }
    }
  }
}

/// q [rows, columns] with orthonormal columns; rows >= columns.
void OrthonormalColumns(const RandomStream& stream, int64_t rows, int64_t columns, float* q) {
  std::vector<float> signs(static_cast<size_t>(columns));
  std::vector<float> chunk(kChunk * kTile);
  std::vector<float> w(kPanel * kTile);
  Panel panel;
  panel.v.resize(static_cast<size_t>((rows + 3) / 4 * 4 * kPanel));
  panel.t.resize(kPanel * kPanel);
  std::fill_n(q, rows * columns, 0.0f);

  // The last reflection is applied first, so that those columns that are still columns of the identity are left out.
  for (int64_t first = (columns - 1) / kPanel * kPanel; first >= 0; first -= kPanel) {
    panel.first = first;
    panel.width = std::min(kPanel, columns - first);
    panel.rows = rows - first;
    DrawReflections(stream, rows, panel, signs.data());
    Accumulate(panel);
    for (int64_t k = first; k < first + panel.width; ++k) q[k * columns + k] = signs[k];
    for (int64_t c = first; c < columns; c += kTile) {
      const int64_t width = std::min(kTile, columns - c);
      float* tile = q + first * columns + c;
      ProjectTile(panel, tile, columns, width, chunk.data(), w.data());
      TransformTile(panel, w.data());
      SubtractTile(panel, w.data(), tile, columns, width);
    }
  }
}

/// to [columns, rows] = from [rows, columns] transposed, in squares that fit the first cache.
void Transpose(const float* from, int64_t rows, int64_t columns, float* to) {
  constexpr int64_t kSquare = 32;
  for (int64_t r0 = 0; r0 < rows; r0 += kSquare) {
    for (int64_t c0 = 0; c0 < columns; c0 += kSquare) {
      for (int64_t r = r0; r < std::min(r0 + kSquare, rows); ++r) {
        for (int64_t c = c0; c < std::min(c0 + kSquare, columns); ++c) to[c * rows + r] = from[r * columns + c];
      }
    }
  }
}

}  // namespace

void Orthogonal(const RandomStream& stream, int64_t rows, int64_t columns, float gain, float* values) {
  if (rows >= columns) {
    OrthonormalColumns(stream, rows, columns, values);
  } else {
    std::vector<float> tall(static_cast<size_t>(rows * columns));
    OrthonormalColumns(stream, columns, rows, tall.data());
    Transpose(tall.data(), columns, rows, values);
  }
  for (int64_t i = 0; i < rows * columns; ++i) values[i] *= gain;
}

}  // namespace slim
