#include <algorithm>
#include <cstring>

#include "cpu/memory.h"
#include "cpu/product.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/product_gradient.cc"
#include "cpu/dispatch.h"
#include "hwy/foreach_target.h"
// Compiled once a target, so after foreach_target.h:
#include "cpu/micro_kernel-inl.h"

#ifndef SLIM_GRADIENT_TABLE
#define SLIM_GRADIENT_TABLE
namespace slim {

// The rows are cut into slices, and slices into blocks. A task owns a slice's sum for some of the columns (a band) and
// some of the depth (a strip); it brings a block's rows together, lets the micro-kernel sum the block in registers and
// adds each tile to the slice's sum. The slices' sums are added up at the end. Slices and blocks depend on the shapes
// alone, bands and strips change no element's value: so neither does the number of threads. That blocks are summed by
// themselves also keeps the rounding error of very long sums down.

// Rows of a block. With it, what a task works on fits in a second-level cache of a megabyte: the sums (256 KB), and of
// the block's rows and those of the next one the strip (2 x 192 KB) and the band (2 x 48 KB).
inline constexpr size_t kBlockRows = 96;
inline constexpr size_t kStripDepth = 512;
inline constexpr size_t kBandColumns = 128;

// Floats from row to row of a gathered strip. Not a power of two, whose rows would share few sets of the first-level
// cache.
inline constexpr size_t kStripStride = kStripDepth + 16;

// A slice's sum for one band and one strip.
struct GradientTask {
  const WeightGradient* gradient;
  size_t row_begin;  // in the order of the runs
  size_t row_end;
  size_t first_column;
  size_t columns;  // at most kBandColumns
  size_t first_depth;
  size_t depth;  // at most kStripDepth
  float* dw;     // of the slice, at (first_depth, first_column)
  size_t dw_stride;
  float* db;        // of the slice, at first_column, or null
  bool accumulate;  // add to dw and db instead of overwriting
  float* block_dy;  // [panels of a band][kBlockRows, panel columns] scratch
  float* block_a;   // [kBlockRows, kStripStride] scratch
};

struct GradientTable {
  size_t panel_columns;
  size_t tile_rows;
  void (*run_task)(const GradientTask& task);
  void (*add)(const float* from, float* to, size_t count);  // to += from
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

// Brings the block's part of dy together as panels, and its part of a only where the block spans runs: a row of a tile
// is a few floats of a row of a, which cost as much to move as to use.
TransposedRows GatherBlock(const GradientTask& task, size_t rows, bool last, RunWalker& walker) {
  const WeightGradient& gradient = *task.gradient;
  const bool in_place = walker.Left(rows) == rows;
  const TransposedRows place = {walker.run().a + walker.row() * gradient.a_stride + task.first_depth,
                                gradient.a_stride};
  size_t done = 0;
  while (done < rows) {
    const size_t count = walker.Left(rows - done);
    const float* a = walker.run().a + walker.row() * gradient.a_stride + task.first_depth;
    const float* dy = walker.run().dy + walker.row() * gradient.dy_stride + task.first_column;
    for (size_t row = done; row < done + count; ++row, a += gradient.a_stride, dy += gradient.dy_stride) {
      if (!in_place) CopyRow(a, task.depth, task.block_a + row * kStripStride);
      for (size_t j = 0; j < task.columns; j += kPanelColumns) {
        CopyRow(dy + j, HWY_MIN(kPanelColumns, task.columns - j), task.block_dy + j * kBlockRows + row * kPanelColumns);
      }
    }
    done += count;
    walker.Advance(count, done < rows || !last);
  }
  return in_place ? place : TransposedRows{task.block_a, kStripStride};
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
    const WeightGradient& gradient = *task.gradient;
    a_ = {Address(walker.run().a + walker.row() * gradient.a_stride + task.first_depth), Bytes(gradient.a_stride)};
    dy_ = {Address(walker.run().dy + walker.row() * gradient.dy_stride + task.first_column), Bytes(gradient.dy_stride)};
    a_lines_ = Lines(a_.first, task.depth);
    lines_ = a_lines_ + Lines(dy_.first, task.columns);
  }

  // What the next tile asks for; `hot` is a line it uses anyway.
  Fetch ForTile(const float* hot) {
    due_ += lines_;
    if (due_ < tiles_ || line_ == lines_) return {Address(hot), 0};
    due_ -= tiles_;
    const size_t line = line_++;
    if (line < a_lines_) return {a_.first + line * kLineBytes, a_.stride};
    return {dy_.first + (line - a_lines_) * kLineBytes, dy_.stride};
  }

 private:
  static constexpr size_t kLineBytes = 64;

  static const char* Address(const float* place) { return reinterpret_cast<const char*>(place); }
  static size_t Bytes(size_t floats) { return floats * sizeof(float); }
  static size_t Lines(const char* first, size_t floats) {
    return (reinterpret_cast<uintptr_t>(first) % kLineBytes + Bytes(floats) + kLineBytes - 1) / kLineBytes;
  }

  size_t tiles_;
  Fetch a_{};
  Fetch dy_{};
  size_t a_lines_ = 0;
  size_t lines_ = 0;
  size_t line_ = 0;
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
  for (size_t k = 0; k < task.depth; ++k) std::fill_n(task.dw + k * task.dw_stride, task.columns, 0.0f);
  if (task.db != nullptr) std::fill_n(task.db, task.columns, 0.0f);
}

void RunTask(const GradientTask& task) {
  if (task.row_begin == task.row_end) {
    if (!task.accumulate) ClearSums(task);
    return;
  }
  RunWalker walker(*task.gradient, task.row_begin);
  const size_t tiles =
      (task.columns + kPanelColumns - 1) / kPanelColumns * ((task.depth + kPanelRows - 1) / kPanelRows);
  bool add = task.accumulate;
  for (size_t row = task.row_begin; row < task.row_end; row += kBlockRows, add = true) {
    const size_t rows = HWY_MIN(kBlockRows, task.row_end - row);
    const size_t next_rows = HWY_MIN(kBlockRows, task.row_end - row - rows);
    const TransposedRows a = GatherBlock(task, rows, next_rows == 0, walker);
    NextBlock next(task, walker, next_rows != 0, tiles);
    for (size_t j = 0; j < task.columns; j += kPanelColumns) {
      const float* dy = task.block_dy + j * kBlockRows;
      const size_t columns = HWY_MIN(kPanelColumns, task.columns - j);
      if (task.db != nullptr) SumColumns(dy, rows, task.db + j, columns, add);
      for (size_t k = 0; k < task.depth; k += kPanelRows) {
        const int count = static_cast<int>(HWY_MIN(task.depth - k, static_cast<size_t>(kPanelRows)));
        WithRowCount<kPanelRows>(count, GradientTile{{a.first + k, a.stride},
                                                     dy,
                                                     rows,
                                                     task.dw + k * task.dw_stride + j,
                                                     task.dw_stride,
                                                     columns,
                                                     add,
                                                     next.ForTile(dy)});
      }
    }
  }
}

void AddTo(const float* from, float* to, size_t count) {
  ForEachVector(count, [&](size_t i, size_t lanes) HWY_ATTR {
    if (lanes == kLanes) {
      hn::StoreU(hn::Add(hn::LoadU(kFloats, to + i), hn::LoadU(kFloats, from + i)), kFloats, to + i);
    } else {
      StoreFirst(hn::Add(LoadFirst(to + i, lanes), LoadFirst(from + i, lanes)), to + i, lanes);
    }
  });
}

extern const GradientTable kGradientTable;
const GradientTable kGradientTable = {kPanelColumns, kPanelRows, RunTask, AddTo};

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slim {

SLIM_CHOOSE_TABLE(GradientTable, kGradientTable)

namespace {

constexpr size_t kMostSlices = 16;

// Rows that make a slice worth the adding up; fewer where there are few tiles to share out.
constexpr size_t kSliceRows = 4096;
constexpr size_t kSmallSliceRows = 1024;
constexpr size_t kFewTiles = 32;

// Floats that the slices' sums may take together.
constexpr size_t kSlicedFloats = size_t{2} << 20;

// Tasks for each thread, so that a thread that is held up costs no more than one of them.
constexpr size_t kTasksPerThread = 4;

// Below this many multiply-adds a product takes less time than sharing it out.
constexpr double kSmallestShared = 2.0e5;

constexpr size_t CeilDiv(size_t a, size_t b) { return (a + b - 1) / b; }

size_t Slices(size_t depth, size_t columns, size_t rows) {
  const GradientTable& table = ChosenGradientTable();
  const size_t tiles = CeilDiv(depth, table.tile_rows) * CeilDiv(columns, table.panel_columns);
  const size_t by_memory = kSlicedFloats / std::max<size_t>((depth + 1) * columns, 1);
  const size_t by_rows = rows / (tiles < kFewTiles ? kSmallSliceRows : kSliceRows);
  return std::max<size_t>(std::min({kMostSlices, by_rows, by_memory}), 1);
}

// How a slice's sum is shared out: strips of the depth, each of some tiles, and bands of some panels.
struct Shares {
  size_t tiles;
  size_t strips;
  size_t panels;
  size_t bands;
};

// Large shares bring fewer rows together, so no more of them are made than the threads ask for. A share is halved where
// it is longer, counted in bytes gathered.
Shares Share(size_t depth, size_t columns, size_t wanted, const GradientTable& table) {
  Shares shares;
  shares.tiles = std::max<size_t>(CeilDiv(depth, table.tile_rows), 1);
  shares.panels = CeilDiv(columns, table.panel_columns);
  shares.strips = CeilDiv(shares.tiles, kStripDepth / table.tile_rows);
  shares.bands = CeilDiv(shares.panels, kBandColumns / table.panel_columns);
  while (shares.strips * shares.bands < wanted) {
    const bool can_band = shares.bands < shares.panels;
    const bool can_strip = shares.strips < shares.tiles;
    if (!can_band && !can_strip) break;
    const bool band_longer = columns * shares.strips >= depth * shares.bands;
    if (can_band && (band_longer || !can_strip)) {
      shares.bands = std::min(shares.bands * 2, shares.panels);
    } else {
      shares.strips = std::min(shares.strips * 2, shares.tiles);
    }
  }
  return shares;
}

// Where the sums of a slice lie.
struct SliceSums {
  float* dw;
  size_t dw_stride;
  float* db;
};

// dw and db = or += the slices' sums, the rows [first, last) of dw; row `depth` stands for db.
void AddSlices(const WeightGradient& gradient, const float* sums, size_t slices, size_t first, size_t last) {
  const GradientTable& table = ChosenGradientTable();
  const size_t slice_floats = (gradient.depth + 1) * gradient.columns;
  for (size_t k = first; k < last; ++k) {
    float* to = k == gradient.depth ? gradient.db : gradient.dw + k * gradient.dw_stride;
    if (to == nullptr) continue;
    const float* from = sums + k * gradient.columns;
    if (!gradient.accumulate) std::memcpy(to, from, gradient.columns * sizeof(float));
    for (size_t slice = gradient.accumulate ? 0 : 1; slice < slices; ++slice) {
      table.add(from + slice * slice_floats, to, gradient.columns);
    }
  }
}

constexpr size_t kBlockBytes =
    Arena::BytesOf<float>(kBlockRows * kBandColumns) + Arena::BytesOf<float>(kBlockRows * kStripStride);

}  // namespace

size_t WeightGradientScratchBytes(size_t depth, size_t columns, size_t rows, int threads) {
  const size_t slices = Slices(depth, columns, rows);
  const size_t sums = slices > 1 ? Arena::BytesOf<float>(slices * (depth + 1) * columns) : 0;
  return sums + static_cast<size_t>(threads) * kBlockBytes;
}

void ComputeWeightGradient(const WeightGradient& gradient, ThreadPool& pool, void* scratch) {
  if (gradient.columns == 0) return;
  const GradientTable& table = ChosenGradientTable();
  size_t rows = 0;
  for (size_t run = 0; run < gradient.run_count; ++run) rows += gradient.runs[run].rows;

  const size_t threads = static_cast<size_t>(pool.threads());
  const size_t slices = Slices(gradient.depth, gradient.columns, rows);
  const size_t slice_rows = CeilDiv(CeilDiv(rows, slices), kBlockRows) * kBlockRows;
  const size_t slice_floats = (gradient.depth + 1) * gradient.columns;
  const Shares shares = Share(gradient.depth, gradient.columns, CeilDiv(kTasksPerThread * threads, slices), table);
  uint8_t* blocks = static_cast<uint8_t*>(scratch);
  float* sums = reinterpret_cast<float*>(blocks + threads * kBlockBytes);

  const auto run_task = [&](size_t number, int worker) {
    const size_t strip = number % shares.strips;
    const size_t band = number / shares.strips % shares.bands;
    const size_t slice = number / shares.strips / shares.bands;
    GradientTask task;
    task.gradient = &gradient;
    task.row_begin = std::min(slice * slice_rows, rows);
    task.row_end = std::min(task.row_begin + slice_rows, rows);
    task.first_column = band * shares.panels / shares.bands * table.panel_columns;
    task.columns =
        std::min((band + 1) * shares.panels / shares.bands * table.panel_columns, gradient.columns) - task.first_column;
    task.first_depth = strip * shares.tiles / shares.strips * table.tile_rows;
    task.depth =
        std::min((strip + 1) * shares.tiles / shares.strips * table.tile_rows, gradient.depth) - task.first_depth;
    float* dw = slices == 1 ? gradient.dw : sums + slice * slice_floats;
    float* db = slices == 1 ? gradient.db : dw + gradient.depth * gradient.columns;
    task.dw_stride = slices == 1 ? gradient.dw_stride : gradient.columns;
    task.dw = dw + task.first_depth * task.dw_stride + task.first_column;
    task.db = gradient.db != nullptr && strip == 0 ? db + task.first_column : nullptr;
    task.accumulate = gradient.accumulate && slices == 1;
    task.block_dy = reinterpret_cast<float*>(blocks + static_cast<size_t>(worker) * kBlockBytes);
    task.block_a = task.block_dy + kBlockRows * kBandColumns;
    table.run_task(task);
  };

  const size_t tasks = slices * shares.strips * shares.bands;
  const double work = static_cast<double>(rows) * static_cast<double>(slice_floats);
  if (threads == 1 || work < kSmallestShared) {
    const FlushDenormals flush;
    for (size_t task = 0; task < tasks; ++task) run_task(task, 0);
    if (slices > 1) AddSlices(gradient, sums, slices, 0, gradient.depth + 1);
    return;
  }
  pool.ParallelFor(tasks, run_task);
  if (slices == 1) return;
  const size_t parts = std::min(threads, gradient.depth + 1);
  pool.ParallelFor(parts, [&](size_t part, int) {
    AddSlices(gradient, sums, slices, part * (gradient.depth + 1) / parts, (part + 1) * (gradient.depth + 1) / parts);
  });
}

}  // namespace slim
#endif
