#include "cpu/product.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/product.cc"
#include "cpu/dispatch.h"
#include "hwy/foreach_target.h"
// Compiled once a target, so after foreach_target.h:
#include "cpu/math-inl.h"
#include "cpu/micro_kernel-inl.h"

#ifndef SLIM_PRODUCT_TABLE
#define SLIM_PRODUCT_TABLE
namespace slim {

struct ProductTable {
  size_t lanes;
  size_t panel_vectors;
  size_t tile_rows;
  void (*multiply_part)(const Product& product, size_t row_begin, size_t row_end, size_t panel_begin, size_t panel_end);
};

// Depth of a pass over a panel. A deeper product is done in several passes, which continue the sums of the ones before,
// so that a panel's part stays in the second-level cache while all rows of a block meet it.
inline constexpr size_t kDepthBlock = 1024;

// Bytes of the left operand that one pass over all panels works on, for the same reason.
inline constexpr size_t kLeftBlockBytes = size_t{256} << 10;

// What is asked for of rows that are read for the first time; the hardware sees from it where the rest lies.
inline constexpr size_t kLineFloats = 64 / sizeof(float);
inline constexpr size_t kFloatsAhead = 2 * kLineFloats;

}  // namespace slim
#endif

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {

inline constexpr int kPanelVectors = kVectorRegisters == 32 ? 4 : 2;
inline constexpr int kPanelRows = kTileRows<kPanelVectors>;

// Applies an activation to a row in place.
using ActivateRow = void (*)(float* row, size_t count);

template <class Function>
void ActivateWith(float* row, size_t count, const Function& function) {
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) hn::StoreU(function(hn::LoadU(kFloats, row + i)), kFloats, row + i);
  if (i < count) StoreFirst(function(LoadFirst(row + i, count - i)), row + i, count - i);
}

void ReluRow(float* row, size_t count) {
  ActivateWith(row, count, [](Floats x) HWY_ATTR { return Relu(x); });
}
void TanhRow(float* row, size_t count) {
  ActivateWith(row, count, [](Floats x) HWY_ATTR { return Tanh(x); });
}
void SigmoidRow(float* row, size_t count) {
  ActivateWith(row, count, [](Floats x) HWY_ATTR { return Sigmoid(x); });
}
void HardSigmoidRow(float* row, size_t count) {
  ActivateWith(row, count, [](Floats x) HWY_ATTR { return HardSigmoid(x); });
}

ActivateRow RowFunction(Activation activation) {
  switch (activation) {
    case Activation::kRelu:
      return ReluRow;
    case Activation::kTanh:
      return TanhRow;
    case Activation::kSigmoid:
      return SigmoidRow;
    case Activation::kHardSigmoid:
      return HardSigmoidRow;
    case Activation::kLinear:
    case Activation::kSoftmax:
      return nullptr;
  }
  return nullptr;
}

// Walks the rows of the left operand in order.
class RowWalker {
 public:
  RowWalker(const LeftRows& rows, size_t row) : rows_(rows), row_(row) {
    if (rows.index == nullptr) {
      within_ = row % rows.run;
      run_start_ = rows.data + row / rows.run * rows.run_stride;
    }
  }

  const float* Next() {
    if (rows_.index != nullptr) return rows_.data + static_cast<size_t>(rows_.index[row_++]) * rows_.stride;
    if (within_ == rows_.run) {
      within_ = 0;
      run_start_ += rows_.run_stride;
    }
    return run_start_ + within_++ * rows_.stride;
  }

 private:
  const LeftRows& rows_;
  size_t row_;
  size_t within_ = 0;
  const float* run_start_ = nullptr;
};

// One pass over a panel: which part of the depth, and how the sums begin.
struct Pass {
  const float* panel;  // at the first k of the pass
  size_t depth_begin;
  size_t depth;
  size_t columns;        // of the result; the panel may have more
  const float* start;    // [panel width], zero beyond the columns: what the sums begin with
  bool add_to_c;         // c + start
  size_t floats_ahead;   // of the next tile's rows, to ask for: those of later panels are near already
  ActivateRow activate;  // after the last pass, or null
};

// Asks for a line that will be written, so that the stores at the end of a tile find it.
HWY_INLINE void PrefetchForWrite(const float* place) { __builtin_prefetch(place, 1); }

template <int kVectors>
struct PanelTile {
  const float* const* rows;  // [kPanelRows]
  const Pass& pass;
  float* c;  // whole vectors: [kRows, kVectors * kLanes]
  size_t c_stride;

  template <int kRows>
  HWY_INLINE void operator()() const {
    Tile<kRows, kVectors> tile;
    PointedRows<kRows> left;
    HWY_UNROLL(8)
    for (int r = 0; r < kRows; ++r) {
      left.rows[r] = rows[r] + pass.depth_begin;
      HWY_UNROLL(4)
      for (int j = 0; j < kVectors; ++j) {
        tile.v[r][j] = hn::Load(kFloats, pass.start + j * kLanes);
        PrefetchForWrite(c + r * c_stride + j * kLanes);
      }
    }
    if (pass.add_to_c) {
      HWY_UNROLL(8)
      for (int r = 0; r < kRows; ++r) {
        HWY_UNROLL(4)
        for (int j = 0; j < kVectors; ++j) {
          tile.v[r][j] = hn::Add(tile.v[r][j], hn::LoadU(kFloats, c + r * c_stride + j * kLanes));
        }
      }
    }
    MultiplyAdd<kRows, kVectors>(left, pass.panel, pass.depth, tile);
    HWY_UNROLL(8)
    for (int r = 0; r < kRows; ++r) {
      HWY_UNROLL(4)
      for (int j = 0; j < kVectors; ++j) hn::StoreU(tile.v[r][j], kFloats, c + r * c_stride + j * kLanes);
    }
  }
};

// Copies the columns of a tile that the result has.
void CopyTile(const float* from, size_t from_stride, float* to, size_t to_stride, int rows, size_t columns) {
  for (int r = 0; r < rows; ++r) std::memcpy(to + r * to_stride, from + r * from_stride, columns * sizeof(float));
}

// The rows of the next tile, of `left` ones; returns their number. None is left to a tile of its own: a panel comes
// from the second-level cache no faster for one row than for two.
HWY_INLINE int WalkTile(RowWalker& walker, size_t left, const float** rows) {
  constexpr size_t kRows = kPanelRows;
  const int count = static_cast<int>(left == kRows + 1 ? (kRows + 2) / 2 : HWY_MIN(left, kRows));
  for (int r = 0; r < count; ++r) rows[r] = walker.Next();
  return count;
}

template <int kVectors>
void RunPass(const Product& product, size_t row_begin, size_t row_end, float* c, const Pass& pass) {
  constexpr size_t kWidth = kVectors * kLanes;
  const bool whole = pass.columns == kWidth;
  HWY_ALIGN float edge[kPanelRows * kWidth] = {};
  RowWalker walker(product.a, row_begin);
  const float* rows[kPanelRows];
  const float* next_rows[kPanelRows];
  int next_count = WalkTile(walker, row_end - row_begin, next_rows);
  int count;
  for (size_t row = row_begin; row < row_end; row += static_cast<size_t>(count)) {
    count = next_count;
    for (int r = 0; r < count; ++r) rows[r] = next_rows[r];
    next_count = WalkTile(walker, row_end - row - static_cast<size_t>(count), next_rows);
    for (size_t floats = 0; floats < pass.floats_ahead; floats += kLineFloats) {
      for (int r = 0; r < next_count; ++r) __builtin_prefetch(next_rows[r] + pass.depth_begin + floats);
    }
    float* tile = c + row * product.c_stride;
    if (whole) {
      WithRowCount<kPanelRows>(count, PanelTile<kVectors>{rows, pass, tile, product.c_stride});
    } else {
      if (pass.add_to_c) CopyTile(tile, product.c_stride, edge, kWidth, count, pass.columns);
      WithRowCount<kPanelRows>(count, PanelTile<kVectors>{rows, pass, edge, kWidth});
      CopyTile(edge, kWidth, tile, product.c_stride, count, pass.columns);
    }
    if (pass.activate != nullptr) {
      for (int r = 0; r < count; ++r) pass.activate(tile + r * product.c_stride, pass.columns);
    }
  }
}

using PassFunction = void (*)(const Product&, size_t, size_t, float*, const Pass&);

void MultiplyPanel(const Product& product, size_t row_begin, size_t row_end, size_t panel, size_t floats_ahead) {
  static constexpr PassFunction kByVectors[] = {RunPass<1>, RunPass<2>, RunPass<3>, RunPass<4>};
  const PackedMatrix& b = product.b;
  const size_t width = b.PanelWidth(panel);
  const size_t first_column = panel * b.panel_columns;

  Pass pass;
  pass.columns = HWY_MIN(width, b.columns - first_column);
  HWY_ALIGN float start[4 * kLanes] = {};
  pass.start = start;
  if (product.bias != nullptr) std::memcpy(start, product.bias + first_column, pass.columns * sizeof(float));
  pass.add_to_c = product.accumulate;
  pass.floats_ahead = floats_ahead;

  size_t k = 0;
  do {
    pass.panel = b.Panel(panel) + k * width;
    pass.depth_begin = k;
    pass.depth = HWY_MIN(b.depth - k, kDepthBlock);
    k += pass.depth;
    pass.activate = k == b.depth ? RowFunction(product.activation) : nullptr;
    kByVectors[width / kLanes - 1](product, row_begin, row_end, product.c + first_column, pass);
    std::memset(start, 0, sizeof(start));
    pass.add_to_c = true;
  } while (k < b.depth);
}

void MultiplyPart(const Product& product, size_t row_begin, size_t row_end, size_t panel_begin, size_t panel_end) {
  const size_t row_bytes = HWY_MAX(product.b.depth * sizeof(float), size_t{1});
  const size_t block = HWY_MAX(kLeftBlockBytes / row_bytes / kPanelRows, size_t{8}) * kPanelRows;
  for (size_t row = row_begin; row < row_end; row += block) {
    for (size_t panel = panel_begin; panel < panel_end; ++panel) {
      MultiplyPanel(product, row, HWY_MIN(row + block, row_end), panel, panel == panel_begin ? kFloatsAhead : 0);
    }
  }
}

extern const ProductTable kProductTable;
const ProductTable kProductTable = {kLanes, kPanelVectors, kPanelRows, MultiplyPart};

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slim {

SLIM_CHOOSE_TABLE(ProductTable, kProductTable)

size_t VectorLanes() { return ChosenProductTable().lanes; }

size_t PanelVectors() { return ChosenProductTable().panel_vectors; }

void MultiplyPart(const Product& product, size_t row_begin, size_t row_end, size_t panel_begin, size_t panel_end) {
  ChosenProductTable().multiply_part(product, row_begin, row_end, panel_begin, panel_end);
}

namespace {

// Below this many multiply-adds a product takes less time than sharing it out.
constexpr double kSmallestShared = 2.0e5;

// Tasks for each thread, so that a thread that is held up costs no more than one of them.
constexpr size_t kTasksPerThread = 4;

// Rows that make it worthwhile to walk through a panel.
constexpr size_t kRowsWorthAPanel = 48;

constexpr size_t CeilDiv(size_t a, size_t b) { return (a + b - 1) / b; }

}  // namespace

void Multiply(const Product& product, ThreadPool& pool) {
  const size_t panels = product.b.Panels();
  const double work =
      static_cast<double>(product.rows) * static_cast<double>(product.b.depth) * static_cast<double>(product.b.columns);
  if (pool.threads() == 1 || work < kSmallestShared) {
    const FlushDenormals flush;
    MultiplyPart(product, 0, product.rows, 0, panels);
    return;
  }

  const size_t tile_rows = ChosenProductTable().tile_rows;
  const size_t tiles = CeilDiv(product.rows, tile_rows);
  const size_t threads = static_cast<size_t>(pool.threads());
  const size_t wanted = kTasksPerThread * threads;
  size_t row_parts = std::clamp<size_t>(product.rows / kRowsWorthAPanel, 1, wanted);
  const size_t panel_parts = std::min(panels, CeilDiv(wanted, row_parts));
  if (row_parts * panel_parts < threads) row_parts = std::min(tiles, CeilDiv(threads, panel_parts));
  const size_t part_rows = CeilDiv(tiles, row_parts) * tile_rows;

  pool.ParallelFor(row_parts * panel_parts, [&](size_t task, int) {
    const size_t row_begin = task / panel_parts * part_rows;
    const size_t row_end = std::min(row_begin + part_rows, product.rows);
    const size_t part = task % panel_parts;
    const size_t panel_begin = part * panels / panel_parts;
    const size_t panel_end = (part + 1) * panels / panel_parts;
    if (row_begin < row_end) MultiplyPart(product, row_begin, row_end, panel_begin, panel_end);
  });
}

}  // namespace slim
#endif
