#pragma once

#include <cstddef>

#include "cpu/product.h"

/// The rows are cut into slices, and slices into blocks. A task owns a slice's sum for some of the columns (a band) and
/// some of the depth (a strip); it brings a block's rows together, lets the micro-kernel sum the block in registers and
/// adds each tile to the slice's sum. The slices' sums are added up at the end. Slices and blocks depend on the shapes
/// alone, bands and strips change no element's value: so neither does the number of threads. That blocks are summed by
/// themselves also keeps the rounding error of very long sums down.
namespace slim {

/// The most rows of a block, and the fewest that are worth one where those of the next run could be taken in. With
/// these, what a task works on fits in a second-level cache of a megabyte: the sums (256 KB), and of the block's rows
/// and those of the next one the strip (2 x 256 KB) and the band (2 x 64 KB).
inline constexpr size_t kBlockRows = 128;
inline constexpr size_t kFewestBlockRows = 48;
inline constexpr size_t kStripDepth = 512;
inline constexpr size_t kBandColumns = 128;

/// Floats from row to row of a gathered strip. Not a power of two, whose rows would share few sets of the first-level
/// cache.
inline constexpr size_t kStripStride = kStripDepth + 16;

/// What a strip has of one left operand.
struct StripPart {
  const float* RowRun::*a = nullptr;
  size_t a_stride = 0;
  size_t first_depth = 0;
  size_t depth = 0;
  float* dw = nullptr;  // of the slice, at (first_depth, first_column)
  size_t dw_stride = 0;

  const float* Row(const RowRun& run, size_t row) const { return run.*a + row * a_stride + first_depth; }
};

/// A slice's sum for one band and one strip.
struct GradientTask {
  const WeightGradient* gradient;
  size_t row_begin;  // in the order of the runs
  size_t row_end;
  size_t first_column;
  size_t columns;      // at most kBandColumns
  StripPart parts[2];  // of a depth of at most kStripDepth together
  size_t part_count;
  float* db;        // of the slice, at first_column, or null
  bool accumulate;  // add to dw and db instead of overwriting
  float* block_dy;  // [panels of a band][kBlockRows, panel columns] scratch
  float* block_a;   // [kBlockRows, kStripStride] scratch
};

void RunGradientTask(const GradientTask& task);

/// Columns of a panel and rows of a tile of the chosen instruction set.
size_t GradientPanelColumns();
size_t GradientTileRows();

}  // namespace slim
