#include <algorithm>
#include <cstring>

#include "cpu/memory.h"
#include "cpu/product.h"
#include "cpu/product_gradient_task.h"
#include "cpu/row_operations.h"

namespace slim {
namespace {

constexpr size_t kMostSlices = 16;

// Rows that make a slice worth the adding up: fewer where one task has all of a slice's sum, since to share that out
// means to bring the same rows together several times.
constexpr size_t kSliceRows = 2048;
constexpr size_t kTaskSliceRows = 1024;

// Floats that the slices' sums may take together.
constexpr size_t kSlicedFloats = size_t{2} << 20;

// Slices begin at multiples of it, as sequences of usual lengths do.
constexpr size_t kSliceStep = 64;

// Tasks for each thread, so that a thread that is held up costs no more than one of them.
constexpr size_t kTasksPerThread = 4;

// Below this many multiply-adds a product takes less time than sharing it out.
constexpr double kSmallestShared = 2.0e5;

constexpr size_t CeilDiv(size_t a, size_t b) { return (a + b - 1) / b; }

size_t Slices(size_t depth, size_t columns, size_t rows) {
  const bool one_task = depth <= kStripDepth && columns <= kBandColumns;
  const size_t by_memory = kSlicedFloats / std::max<size_t>((depth + 1) * columns, 1);
  const size_t by_rows = rows / (one_task ? kTaskSliceRows : kSliceRows);
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
Shares Share(const WeightGradient& gradient, size_t wanted) {
  const size_t tile_rows = GradientTileRows();
  const size_t depth = gradient.depth + gradient.second.depth;
  Shares shares;
  shares.tiles = std::max<size_t>(CeilDiv(gradient.depth, tile_rows) + CeilDiv(gradient.second.depth, tile_rows), 1);
  shares.panels = CeilDiv(gradient.columns, GradientPanelColumns());
  shares.strips = CeilDiv(shares.tiles, kStripDepth / tile_rows);
  shares.bands = CeilDiv(shares.panels, kBandColumns / GradientPanelColumns());
  while (shares.strips * shares.bands < wanted) {
    const bool can_band = shares.bands < shares.panels;
    const bool can_strip = shares.strips < shares.tiles;
    if (!can_band && !can_strip) break;
    const bool band_longer = gradient.columns * shares.strips >= depth * shares.bands;
    if (can_band && (band_longer || !can_strip)) {
      shares.bands = std::min(shares.bands * 2, shares.panels);
    } else {
      shares.strips = std::min(shares.strips * 2, shares.tiles);
    }
  }
  return shares;
}

// An array of sums of a slice, or of the result.
struct Sums {
  float* first;
  size_t stride;
};

// The part of one left operand, whose tiles begin at `operand_tile`, in the strip of the tiles [begin, end).
StripPart PartOf(const float* RowRun::*a, size_t a_stride, size_t depth, const Sums& dw, size_t operand_tile,
                 size_t begin, size_t end, size_t tile_rows) {
  const size_t first = begin > operand_tile ? std::min((begin - operand_tile) * tile_rows, depth) : 0;
  const size_t last = end > operand_tile ? std::min((end - operand_tile) * tile_rows, depth) : 0;
  return {a, a_stride, first, last - first, dw.first + first * dw.stride, dw.stride};
}

// dw and db = or += the slices' sums, the rows [first, last) of them: those of dw, of the second one, and of db.
void AddSlices(const WeightGradient& gradient, const float* sums, size_t slices, size_t first, size_t last) {
  const size_t depth = gradient.depth + gradient.second.depth;
  const size_t slice_floats = (depth + 1) * gradient.columns;
  for (size_t k = first; k < last; ++k) {
    float* to = k == depth           ? gradient.db
                : k < gradient.depth ? gradient.dw + k * gradient.dw_stride
                                     : gradient.second.dw + (k - gradient.depth) * gradient.second.dw_stride;
    if (to == nullptr) continue;
    const float* from = sums + k * gradient.columns;
    if (!gradient.accumulate) std::memcpy(to, from, gradient.columns * sizeof(float));
    for (size_t slice = gradient.accumulate ? 0 : 1; slice < slices; ++slice) {
      AddRow(gradient.columns, from + slice * slice_floats, to);
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
  size_t rows = 0;
  for (size_t run = 0; run < gradient.run_count; ++run) rows += gradient.runs[run].rows;

  const SecondGradient& second = gradient.second;
  const size_t depth = gradient.depth + second.depth;
  const size_t threads = static_cast<size_t>(pool.threads());
  const size_t slices = Slices(depth, gradient.columns, rows);
  const size_t slice_rows = CeilDiv(CeilDiv(rows, slices), kSliceStep) * kSliceStep;
  const size_t slice_floats = (depth + 1) * gradient.columns;
  const Shares shares = Share(gradient, CeilDiv(kTasksPerThread * threads, slices));
  const size_t tile_rows = GradientTileRows(), panel_columns = GradientPanelColumns();
  const size_t first_tiles = CeilDiv(gradient.depth, tile_rows);
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
    task.first_column = band * shares.panels / shares.bands * panel_columns;
    task.columns =
        std::min((band + 1) * shares.panels / shares.bands * panel_columns, gradient.columns) - task.first_column;

    float* slice_sums = sums + slice * slice_floats + task.first_column;
    Sums dw = {slice_sums, gradient.columns}, second_dw = {slice_sums + gradient.depth * gradient.columns, dw.stride};
    float* db = slice_sums + depth * gradient.columns;
    if (slices == 1) {
      dw = {gradient.dw + task.first_column, gradient.dw_stride};
      second_dw = {second.depth == 0 ? nullptr : second.dw + task.first_column, second.dw_stride};
      db = gradient.db == nullptr ? nullptr : gradient.db + task.first_column;
    }
    const size_t begin = strip * shares.tiles / shares.strips, end = (strip + 1) * shares.tiles / shares.strips;
    const StripPart parts[] = {
        PartOf(&RowRun::a, gradient.a_stride, gradient.depth, dw, 0, begin, end, tile_rows),
        PartOf(&RowRun::second_a, second.a_stride, second.depth, second_dw, first_tiles, begin, end, tile_rows)};
    task.part_count = 0;
    for (const StripPart& part : parts) {
      if (part.depth > 0) task.parts[task.part_count++] = part;
    }
    task.db = gradient.db != nullptr && strip == 0 ? db : nullptr;
    task.accumulate = gradient.accumulate && slices == 1;
    task.block_dy = reinterpret_cast<float*>(blocks + static_cast<size_t>(worker) * kBlockBytes);
    task.block_a = task.block_dy + kBlockRows * kBandColumns;
    RunGradientTask(task);
  };

  const size_t tasks = slices * shares.strips * shares.bands;
  const double work = static_cast<double>(rows) * static_cast<double>(slice_floats);
  if (threads == 1 || work < kSmallestShared) {
    const FlushDenormals flush;
    for (size_t task = 0; task < tasks; ++task) run_task(task, 0);
    if (slices > 1) AddSlices(gradient, sums, slices, 0, depth + 1);
    return;
  }
  pool.ParallelFor(tasks, run_task);
  if (slices == 1) return;
  const size_t parts = std::min(threads, depth + 1);
  pool.ParallelFor(parts, [&](size_t part, int) {
    AddSlices(gradient, sums, slices, part * (depth + 1) / parts, (part + 1) * (depth + 1) / parts);
  });
}

}  // namespace slim
