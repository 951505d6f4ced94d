#include <algorithm>
#include <cstring>

#include "cpu/memory.h"
#include "cpu/product.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/product_gradient.cc"
#include "cpu/dispatch.h"
#include "hwy/foreach_target.h"
#include "cpu/micro_kernel-inl.h"

#ifndef SLIM_GRADIENT_TABLE
#define SLIM_GRADIENT_TABLE
namespace slim {

// The rows are cut into slices, and slices into blocks. A task owns a slice's sum for some of the columns (a panel) and
// some of the depth (a strip); it brings a block's rows together, lets the micro-kernel sum the block in registers and
// adds the tile to the slice's sum. The slices' sums are added up at the end. Slices and blocks depend on the shapes
// alone, panels and strips change no element's value: so neither does the number of threads. That blocks are summed by
// themselves also keeps the rounding error of very long sums down.

// Rows of a block: what is read of dy stays in the first-level cache.
inline constexpr size_t kBlockRows = 64;

// The deepest strip: what a block has of it stays in the second-level cache.
inline constexpr size_t kStripDepth = 256;

// A slice's sum for one panel and one strip.
struct GradientTask {
  const WeightGradient* gradient;
  size_t row_begin;      // in the order of the runs
  size_t row_end;
  size_t first_column;
  size_t columns;        // at most a panel's
  size_t first_depth;
  size_t depth;          // at most kStripDepth
  float* dw;             // of the slice, at (first_depth, first_column)
  size_t dw_stride;
  float* db;             // of the slice, at first_column, or null
  bool accumulate;       // add to dw and db instead of overwriting
  float* block_dy;       // [kBlockRows, panel columns] scratch
  float* block_a;        // [kBlockRows, kStripDepth] scratch
};

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
  size_t row() const { return row_; }    // within the run

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

// The block's rows, where the micro-kernel can read them: rows of `a` that lie in one run are left where they are.
struct BlockRows {
  const float* a;
  size_t a_stride;
};

// Rows this far apart, or a multiple of it, fall into the same sets of the first-level cache and drive each other out.
inline constexpr size_t kBadStride = 256;

BlockRows GatherBlock(const GradientTask& task, size_t rows, bool last, RunWalker& walker) {
  const WeightGradient& gradient = *task.gradient;
  BlockRows block{task.block_a, task.depth};
  size_t done = 0;
  while (done < rows) {
    const size_t count = walker.Left(rows - done);
    const float* a = walker.run().a + walker.row() * gradient.a_stride + task.first_depth;
    const float* dy = walker.run().dy + walker.row() * gradient.dy_stride + task.first_column;
    for (size_t r = 0; r < count; ++r, dy += gradient.dy_stride) {
      float* to = task.block_dy + (done + r) * kPanelColumns;
      if (task.columns == kPanelColumns) {
        HWY_UNROLL(4)
        for (int j = 0; j < kPanelVectors; ++j) hn::Store(hn::LoadU(kFloats, dy + j * kLanes), kFloats, to + j * kLanes);
      } else {
        std::memcpy(to, dy, task.columns * sizeof(float));
        std::fill(to + task.columns, to + kPanelColumns, 0.0f);
      }
    }
    if (count == rows && gradient.a_stride % kBadStride != 0) {
      block = {a, gradient.a_stride};
    } else {
      for (size_t r = 0; r < count; ++r, a += gradient.a_stride) {
        std::memcpy(task.block_a + (done + r) * task.depth, a, task.depth * sizeof(float));
      }
    }
    done += count;
    walker.Advance(count, done < rows || !last);
  }
  return block;
}

struct GradientTile {
  const BlockRows& block;
  const float* dy;
  size_t rows;
  float* dw;
  size_t dw_stride;
  size_t columns;
  bool add;

  template <int kRows>
  HWY_INLINE void operator()() const {
    Tile<kRows, kPanelVectors> tile;
    ClearTile(tile);
    MultiplyAdd(TransposedRows{block.a, block.a_stride}, dy, rows, tile);
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

// db = or += the block's column sums.
void SumColumns(const GradientTask& task, size_t rows, bool add) {
  Floats sums[kPanelVectors];
  for (int j = 0; j < kPanelVectors; ++j) sums[j] = hn::Zero(kFloats);
  for (size_t r = 0; r < rows; ++r) {
    for (int j = 0; j < kPanelVectors; ++j) {
      sums[j] = hn::Add(sums[j], hn::Load(kFloats, task.block_dy + r * kPanelColumns + j * kLanes));
    }
  }
  HWY_ALIGN float lanes[kPanelColumns];
  for (int j = 0; j < kPanelVectors; ++j) hn::Store(sums[j], kFloats, lanes + j * kLanes);
  for (size_t j = 0; j < task.columns; ++j) task.db[j] = add ? task.db[j] + lanes[j] : lanes[j];
}

void RunTask(const GradientTask& task) {
  bool add = task.accumulate;
  if (task.row_begin == task.row_end) {
    if (!add) {
      for (size_t k = 0; k < task.depth; ++k) std::fill_n(task.dw + k * task.dw_stride, task.columns, 0.0f);
      if (task.db != nullptr) std::fill_n(task.db, task.columns, 0.0f);
    }
    return;
  }
  RunWalker walker(*task.gradient, task.row_begin);
  for (size_t row = task.row_begin; row < task.row_end; row += kBlockRows, add = true) {
    const size_t rows = HWY_MIN(kBlockRows, task.row_end - row);
    const BlockRows block = GatherBlock(task, rows, row + rows == task.row_end, walker);
    if (task.db != nullptr) SumColumns(task, rows, add);
    for (size_t k = 0; k < task.depth; k += kPanelRows) {
      const int count = static_cast<int>(HWY_MIN(task.depth - k, static_cast<size_t>(kPanelRows)));
      const BlockRows part{block.a + k, block.a_stride};
      WithRowCount<kPanelRows>(count, GradientTile{part, task.block_dy, rows, task.dw + k * task.dw_stride,
                                                   task.dw_stride, task.columns, add});
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

namespace {

constexpr size_t kMostSlices = 16;

// Rows that make a slice worth the adding up.
constexpr size_t kSliceRows = 1024;

// Floats that the slices' sums may take together.
constexpr size_t kSlicedFloats = size_t{2} << 20;

// Tasks for each thread, so that a thread that is held up costs no more than one of them.
constexpr size_t kTasksPerThread = 4;

// Below this depth a strip spends its time bringing dy together.
constexpr size_t kSmallestStrip = 48;

// Below this many multiply-adds a product takes less time than sharing it out.
constexpr double kSmallestShared = 2.0e5;

constexpr size_t CeilDiv(size_t a, size_t b) { return (a + b - 1) / b; }

size_t Slices(size_t depth, size_t columns, size_t rows) {
  const size_t by_memory = kSlicedFloats / std::max<size_t>((depth + 1) * columns, 1);
  return std::max<size_t>(std::min({kMostSlices, rows / kSliceRows, by_memory}), 1);
}

// Where the sums of a slice lie.
struct SliceSums {
  float* dw;
  size_t dw_stride;
  float* db;
};

// dw and db = or += the slices' sums, the rows [first, last) of dw; row `depth` stands for db.
void AddSlices(const WeightGradient& gradient, const float* sums, size_t slices, size_t first, size_t last) {
  const size_t slice_floats = (gradient.depth + 1) * gradient.columns;
  for (size_t k = first; k < last; ++k) {
    float* to = k == gradient.depth ? gradient.db : gradient.dw + k * gradient.dw_stride;
    if (to == nullptr) continue;
    const float* from = sums + k * gradient.columns;
    for (size_t j = 0; j < gradient.columns; ++j) {
      float sum = gradient.accumulate ? to[j] : 0.0f;
      for (size_t slice = 0; slice < slices; ++slice) sum += from[slice * slice_floats + j];
      to[j] = sum;
    }
  }
}

}  // namespace

size_t WeightGradientScratchBytes(size_t depth, size_t columns, size_t rows, int threads) {
  const size_t panel = ChosenGradientTable().panel_columns;
  const size_t slices = Slices(depth, columns, rows);
  const size_t sums = slices > 1 ? Arena::BytesOf<float>(slices * (depth + 1) * columns) : 0;
  return sums + static_cast<size_t>(threads) *
                    (Arena::BytesOf<float>(kBlockRows * panel) + Arena::BytesOf<float>(kBlockRows * kStripDepth));
}

void ComputeWeightGradient(const WeightGradient& gradient, ThreadPool& pool, void* scratch) {
  const GradientTable& table = ChosenGradientTable();
  size_t rows = 0;
  for (size_t run = 0; run < gradient.run_count; ++run) rows += gradient.runs[run].rows;

  const size_t threads = static_cast<size_t>(pool.threads());
  const size_t slices = Slices(gradient.depth, gradient.columns, rows);
  const size_t slice_rows = CeilDiv(CeilDiv(rows, slices), kBlockRows) * kBlockRows;
  const size_t slice_floats = (gradient.depth + 1) * gradient.columns;
  float* blocks = static_cast<float*>(scratch);
  const size_t block_floats = kBlockRows * (table.panel_columns + kStripDepth);
  float* sums = blocks + threads * block_floats;

  const size_t panels = CeilDiv(gradient.columns, table.panel_columns);
  const size_t tiles = std::max<size_t>(CeilDiv(gradient.depth, table.tile_rows), 1);
  const size_t strips_wanted = CeilDiv(kTasksPerThread * threads, slices * panels);
  const size_t strips_worthwhile = std::max<size_t>(gradient.depth / kSmallestStrip, 1);
  const size_t strips_needed = CeilDiv(tiles, kStripDepth / table.tile_rows);
  const size_t strips = std::min(std::max(std::min(strips_wanted, strips_worthwhile), strips_needed), tiles);

  const auto run_task = [&](size_t number, int worker) {
    const size_t strip = number % strips;
    const size_t panel = number / strips % panels;
    const size_t slice = number / strips / panels;
    GradientTask task;
    task.gradient = &gradient;
    task.row_begin = std::min(slice * slice_rows, rows);
    task.row_end = std::min(task.row_begin + slice_rows, rows);
    task.first_column = panel * table.panel_columns;
    task.columns = std::min(table.panel_columns, gradient.columns - task.first_column);
    task.first_depth = strip * tiles / strips * table.tile_rows;
    task.depth = std::min((strip + 1) * tiles / strips * table.tile_rows, gradient.depth) - task.first_depth;
    const SliceSums whole{gradient.dw, gradient.dw_stride, gradient.db};
    float* sum = sums + slice * slice_floats;
    const SliceSums own{sum, gradient.columns, sum + gradient.depth * gradient.columns};
    const SliceSums& to = slices == 1 ? whole : own;
    task.dw = to.dw + task.first_depth * to.dw_stride + task.first_column;
    task.dw_stride = to.dw_stride;
    task.db = gradient.db != nullptr && strip == 0 ? to.db + task.first_column : nullptr;
    task.accumulate = gradient.accumulate && slices == 1;
    task.block_dy = blocks + static_cast<size_t>(worker) * block_floats;
    task.block_a = task.block_dy + kBlockRows * table.panel_columns;
    table.run_task(task);
  };
  const auto add_slices = [&](size_t part, int) {
    const size_t parts = std::min(threads, gradient.depth + 1);
    const size_t first = part * (gradient.depth + 1) / parts;
    AddSlices(gradient, sums, slices, first, (part + 1) * (gradient.depth + 1) / parts);
  };

  pool.ParallelFor(slices * panels * strips, run_task);
  if (slices > 1) pool.ParallelFor(std::min(threads, gradient.depth + 1), add_slices);
}

}  // namespace slim
#endif
