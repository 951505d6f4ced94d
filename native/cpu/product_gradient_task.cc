#include "cpu/product_gradient_task.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/product_gradient_task.cc"
#include "cpu/dispatch.h"
#include "hwy/foreach_target.h"
// Compiled once a target, so after foreach_target.h:
#include "cpu/micro_kernel-inl.h"

#ifndef SLIM_GRADIENT_TABLE
#define SLIM_GRADIENT_TABLE
namespace slim {
struct GradientTable {
  size_t panel_columns;
  size_t tile_rows;
  void (*run_task)(const GradientTask& task);
};
}  // namespace slim
#endif

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {

inline constexpr int kPanelVectors = kVectorRegisters == 32 ? 4 : 2;
inline constexpr size_t kPanelColumns = kPanelVectors * kLanes;
inline constexpr int kPanelRows = kTileRows<kPanelVectors>;

// Walks the rows of all runs in order, as far as they lie in one run.
class RunWalker {
 public:
  RunWalker(const WeightGradient& gradient, size_t row) : run_(gradient.runs), row_(row) { SkipDone(); }

  const RowRun& run() const { return *run_; }
  size_t row() const { return row_; }  // within the run

  // Rows left in this run, but `most` at the most.
  size_t Left(size_t most) const { return HWY_MIN(most, run_->rows - row_); }

  // `rows` of this run are done; `more` tells whether others follow.
  void Advance(size_t rows, bool more) {
    row_ += rows;
    if (more) SkipDone();
  }

 private:
  void SkipDone() {
    while (row_ >= run_->rows) row_ -= run_++->rows;
  }

  const RowRun* run_;
  size_t row_;
};

HWY_INLINE void CopyRow(const float* from, size_t count, float* to) {
  ForEachVector(count, [&](size_t i, size_t lanes) HWY_ATTR {
    hn::StoreU(lanes == kLanes ? hn::LoadU(kFloats, from + i) : LoadFirst(from + i, lanes), kFloats, to + i);
  });
}

// The rows of the next block, `left` of the task's at the most: an equal part of those that the run has left, so that
// they can be used where they lie, or rows of several runs where that is too few.
size_t BlockRows(const RunWalker& walker, size_t left) {
  const size_t run_rows = walker.Left(left);
  const size_t blocks = (run_rows + kBlockRows - 1) / kBlockRows;
  const size_t rows = (run_rows + blocks - 1) / blocks;
  return rows >= kFewestBlockRows ? rows : HWY_MIN(kBlockRows, left);
}

// Brings the block's part of dy together as panels, and its parts of a only where the block spans runs: a row of a tile
// is a few floats of a row of a, which cost as much to move as to use. Sets lefts[i] to where part i lies.
void GatherBlock(const GradientTask& task, size_t rows, bool last, RunWalker& walker, TransposedRows* lefts) {
  const size_t dy_stride = task.gradient->dy_stride;
  const bool in_place = walker.Left(rows) == rows;
  float* gathered[2] = {task.block_a, task.block_a + task.parts[0].depth};
  for (size_t i = 0; i < task.part_count; ++i) {
    const StripPart& part = task.parts[i];
    lefts[i] = in_place ? TransposedRows{part.Row(walker.run(), walker.row()), part.a_stride}
                        : TransposedRows{gathered[i], kStripStride};
  }
  size_t done = 0;
  while (done < rows) {
    const size_t count = walker.Left(rows - done);
    for (size_t i = 0; i < task.part_count && !in_place; ++i) {
      const StripPart& part = task.parts[i];
      const float* a = part.Row(walker.run(), walker.row());
      for (size_t row = 0; row < count; ++row) {
        CopyRow(a + row * part.a_stride, part.depth, gathered[i] + (done + row) * kStripStride);
      }
    }
    const float* dy = walker.run().dy + walker.row() * dy_stride + task.first_column;
    for (size_t row = done; row < done + count; ++row, dy += dy_stride) {
      for (size_t j = 0; j < task.columns; j += kPanelColumns) {
        CopyRow(dy + j, HWY_MIN(kPanelColumns, task.columns - j), task.block_dy + j * kBlockRows + row * kPanelColumns);
      }
    }
    done += count;
    walker.Advance(count, done < rows || !last);
  }
}

// Lines of memory to ask for, one with each row of a tile.
struct Fetch {
  const char* first;
  size_t stride;  // bytes
};

// Asks for the next block's rows while this one is worked on: bringing them together would otherwise wait for memory.
// Some tiles ask for one line of each row; a burst would hold up the loads of the tile itself. Of a block that spans
// runs the first run alone is asked for (or what lies behind it: asking for memory that is not ours does no harm).
class NextBlock {
 public:
  // `walker` stands at the block's first row.
  NextBlock(const GradientTask& task, const RunWalker& walker, bool exists, size_t tiles) : tiles_(tiles) {
    if (!exists) return;
    for (size_t i = 0; i < task.part_count; ++i) {
      const StripPart& part = task.parts[i];
      Append(part.Row(walker.run(), walker.row()), part.a_stride, part.depth);
    }
    const size_t dy_stride = task.gradient->dy_stride;
    Append(walker.run().dy + walker.row() * dy_stride + task.first_column, dy_stride, task.columns);
  }

  // What the next tile asks for; `hot` is a line it uses anyway.
  Fetch ForTile(const float* hot) {
    due_ += lines_;
    if (due_ < tiles_ || now_ == arrays_) return {Address(hot), 0};
    due_ -= tiles_;
    Array& array = array_[now_];
    const Fetch fetch = {array.next, array.stride};
    array.next += kLineBytes;
    if (--array.lines == 0) ++now_;
    return fetch;
  }

 private:
  static constexpr size_t kLineBytes = 64;

  struct Array {
    const char* next;
    size_t stride;  // bytes
    size_t lines;   // left to ask for, of each row
  };

  static const char* Address(const float* place) { return reinterpret_cast<const char*>(place); }

  // Rows of at least one float, `stride` floats apart.
  void Append(const float* first, size_t stride, size_t floats) {
    const size_t bytes = reinterpret_cast<uintptr_t>(first) % kLineBytes + floats * sizeof(float);
    const size_t lines = (bytes + kLineBytes - 1) / kLineBytes;
    array_[arrays_++] = {Address(first), stride * sizeof(float), lines};
    lines_ += lines;
  }

  size_t tiles_;
  Array array_[3] = {};
  size_t arrays_ = 0;
  size_t lines_ = 0;
  size_t now_ = 0;
  size_t due_ = 0;
};

// A transposed left operand that asks for memory on its way.
struct FetchingRows {
  TransposedRows rows;
  Fetch fetch;
  HWY_INLINE Floats Spread(int row, size_t k) const {
    if (row == 0) __builtin_prefetch(fetch.first + k * fetch.stride, 0, 2);
    return rows.Spread(row, k);
  }
};

struct GradientTile {
  TransposedRows a;
  const float* dy;
  size_t rows;
  float* dw;
  size_t dw_stride;
  size_t columns;
  bool add;
  Fetch fetch;

  template <int kRows>
  HWY_INLINE void operator()() const {
    HWY_UNROLL(8)
    for (int r = 0; r < kRows; ++r) {
      for (size_t j = 0; j < kPanelColumns; j += 16) __builtin_prefetch(dw + r * dw_stride + j, 1);
    }
    Tile<kRows, kPanelVectors> tile;
    ClearTile(tile);
    MultiplyAdd(FetchingRows{a, fetch}, dy, rows, tile);
    if (columns == kPanelColumns) {
      Finish(tile, dw, dw_stride);
    } else {
      HWY_ALIGN float edge[kRows * kPanelColumns] = {};
      if (add) CopyColumns(dw, dw_stride, edge, kPanelColumns, kRows);
      Finish(tile, edge, kPanelColumns);
      CopyColumns(edge, kPanelColumns, dw, dw_stride, kRows);
    }
  }

 private:
  template <int kRows>
  HWY_INLINE void Finish(const Tile<kRows, kPanelVectors>& tile, float* to, size_t stride) const {
    HWY_UNROLL(8)
    for (int r = 0; r < kRows; ++r) {
      HWY_UNROLL(4)
      for (int j = 0; j < kPanelVectors; ++j) {
        float* place = to + r * stride + j * kLanes;
        const Floats sum = tile.v[r][j];
        hn::StoreU(add ? hn::Add(hn::LoadU(kFloats, place), sum) : sum, kFloats, place);
      }
    }
  }

  HWY_NOINLINE void CopyColumns(const float* from, size_t from_stride, float* to, size_t to_stride, int count) const {
    for (int r = 0; r < count; ++r) std::memcpy(to + r * to_stride, from + r * from_stride, columns * sizeof(float));
  }
};

// db = or += the column sums of a panel's part of the block.
void SumColumns(const float* dy, size_t rows, float* db, size_t columns, bool add) {
  Floats sums[kPanelVectors];
  for (Floats& sum : sums) sum = hn::Zero(kFloats);
  for (size_t r = 0; r < rows; ++r) {
    HWY_UNROLL(4)
    for (int j = 0; j < kPanelVectors; ++j) {
      sums[j] = hn::Add(sums[j], hn::Load(kFloats, dy + r * kPanelColumns + j * kLanes));
    }
  }
  HWY_ALIGN float lanes[kPanelColumns];
  for (int j = 0; j < kPanelVectors; ++j) hn::Store(sums[j], kFloats, lanes + j * kLanes);
  for (size_t j = 0; j < columns; ++j) db[j] = add ? db[j] + lanes[j] : lanes[j];
}

void ClearSums(const GradientTask& task) {
  for (size_t i = 0; i < task.part_count; ++i) {
    const StripPart& part = task.parts[i];
    for (size_t k = 0; k < part.depth; ++k) std::fill_n(part.dw + k * part.dw_stride, task.columns, 0.0f);
  }
  if (task.db != nullptr) std::fill_n(task.db, task.columns, 0.0f);
}

size_t TilesOf(const GradientTask& task) {
  size_t strip_tiles = 0;
  for (size_t i = 0; i < task.part_count; ++i) strip_tiles += (task.parts[i].depth + kPanelRows - 1) / kPanelRows;
  return (task.columns + kPanelColumns - 1) / kPanelColumns * strip_tiles;
}

// The tiles of a part in one panel, whose columns begin at `column`.
void RunPanel(const StripPart& part, const TransposedRows& a, size_t rows, const float* dy, size_t column,
              size_t columns, bool add, NextBlock& next) {
  for (size_t k = 0; k < part.depth; k += kPanelRows) {
    const int count = static_cast<int>(HWY_MIN(part.depth - k, static_cast<size_t>(kPanelRows)));
    WithRowCount<kPanelRows>(count, GradientTile{{a.first + k, a.stride},
                                                 dy,
                                                 rows,
                                                 part.dw + k * part.dw_stride + column,
                                                 part.dw_stride,
                                                 columns,
                                                 add,
                                                 next.ForTile(dy)});
  }
}

void RunTask(const GradientTask& task) {
  if (task.row_begin == task.row_end) {
    if (!task.accumulate) ClearSums(task);
    return;
  }
  RunWalker walker(*task.gradient, task.row_begin);
  const size_t tiles = TilesOf(task);
  bool add = task.accumulate;
  for (size_t row = task.row_begin; row < task.row_end; add = true) {
    const size_t rows = BlockRows(walker, task.row_end - row);
    row += rows;
    const bool last = row == task.row_end;
    TransposedRows lefts[2];
    GatherBlock(task, rows, last, walker, lefts);
    NextBlock next(task, walker, !last, tiles);
    for (size_t j = 0; j < task.columns; j += kPanelColumns) {
      const float* dy = task.block_dy + j * kBlockRows;
      const size_t columns = HWY_MIN(kPanelColumns, task.columns - j);
      if (task.db != nullptr) SumColumns(dy, rows, task.db + j, columns, add);
      for (size_t i = 0; i < task.part_count; ++i) {
        RunPanel(task.parts[i], lefts[i], rows, dy, j, columns, add, next);
      }
    }
  }
}

extern const GradientTable kGradientTable;
const GradientTable kGradientTable = {kPanelColumns, kPanelRows, RunTask};

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slim {

SLIM_CHOOSE_TABLE(GradientTable, kGradientTable)

void RunGradientTask(const GradientTask& task) { ChosenGradientTable().run_task(task); }

size_t GradientPanelColumns() { return ChosenGradientTable().panel_columns; }

size_t GradientTileRows() { return ChosenGradientTable().tile_rows; }

}  // namespace slim
#endif
