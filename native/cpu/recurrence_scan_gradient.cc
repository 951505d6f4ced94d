#include "cpu/recurrence_scan_gradient.h"

#include <algorithm>

#include "cpu/row_operations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/recurrence_scan_gradient.cc"
#include "cpu/dispatch.h"
#include "hwy/foreach_target.h"
// Compiled once a target, so after foreach_target.h:
#include "cpu/micro_kernel-inl.h"

#ifndef SLIM_SCAN_GRADIENT_TABLE
#define SLIM_SCAN_GRADIENT_TABLE
namespace slim {

constexpr size_t kLineFloats = 64 / sizeof(float);

/// sum [depth, vectors] = or += the sum over `rows` of x[row]^T da[row].
struct KernelProduct {
  size_t rows;
  const float* const* x;   // rows of [depth]
  const float* const* da;  // rows of [vectors], aligned
  size_t depth;
  size_t vectors;
  float* sum;
  bool add;
  ComingRows coming;
};

struct ScanGradientTable {
  void (*multiply)(const KernelProduct& product);
};

}  // namespace slim
#endif

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {

// Lines of rows that come, of which one is asked for with each row of a tile.
struct ComingLines {
  const float* first;
  ptrdiff_t stride;
};

// The lines that come, one of each row of an array a tile, for as many tiles as it takes; `hot` is a line that is used
// anyway.
HWY_INLINE ComingLines LinesOfTile(const ComingRows& coming, size_t tile, const float* hot) {
  const size_t lines = (coming.floats + kLineFloats - 1) / kLineFloats;
  if (tile >= ComingRows::kArrays * lines) return {hot, 0};
  const size_t array = tile / lines;
  return {coming.first[array] + tile % lines * kLineFloats, coming.stride[array]};
}

template <int kVectors>
struct KernelTile {
  const KernelProduct& product;
  size_t first;  // element of the rows of x
  ComingLines lines;

  template <int kRows>
  HWY_INLINE void operator()() const {
    constexpr size_t kWidth = kVectors * kLanes;
    Tile<kRows, kVectors> tile;
    ClearTile(tile);
    for (size_t row = 0; row < product.rows; ++row) {
      __builtin_prefetch(lines.first + static_cast<ptrdiff_t>(row) * lines.stride, 0, 2);
      const float* x = product.x[row] + first;
      const float* da = product.da[row];
      Floats right[kVectors];
      HWY_UNROLL(4)
      for (int j = 0; j < kVectors; ++j) right[j] = hn::Load(kFloats, da + static_cast<size_t>(j) * kLanes);
      HWY_UNROLL(8)
      for (int r = 0; r < kRows; ++r) {
        const Floats left = hn::Set(kFloats, x[r]);
        HWY_UNROLL(4)
        for (int j = 0; j < kVectors; ++j) tile.v[r][j] = hn::MulAdd(left, right[j], tile.v[r][j]);
      }
    }
    float* sum = product.sum + first * kWidth;
    HWY_UNROLL(8)
    for (int r = 0; r < kRows; ++r) {
      HWY_UNROLL(4)
      for (int j = 0; j < kVectors; ++j) {
        float* place = sum + static_cast<size_t>(r) * kWidth + static_cast<size_t>(j) * kLanes;
        const Floats v = tile.v[r][j];
        hn::Store(product.add ? hn::Add(hn::Load(kFloats, place), v) : v, kFloats, place);
      }
    }
  }
};

template <int kVectors>
void MultiplyVectors(const KernelProduct& product) {
  constexpr size_t kRows = kTileRows<kVectors>;
  for (size_t first = 0; first < product.depth; first += kRows) {
    const ComingLines lines = LinesOfTile(product.coming, first / kRows, product.da[0]);
    WithRowCount<kRows>(static_cast<int>(HWY_MIN(kRows, product.depth - first)),
                        KernelTile<kVectors>{product, first, lines});
  }
}

void MultiplyKernel(const KernelProduct& product) {
  switch (product.vectors) {
    case 1:
      return MultiplyVectors<1>(product);
    case 2:
      return MultiplyVectors<2>(product);
    case 3:
      return MultiplyVectors<3>(product);
    default:
      return MultiplyVectors<4>(product);
  }
}

extern const ScanGradientTable kScanGradientTable;
const ScanGradientTable kScanGradientTable = {MultiplyKernel};

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slim {

SLIM_CHOOSE_TABLE(ScanGradientTable, kScanGradientTable)

namespace {

// Rows that are multiplied at a time: the longer, the rarer a sum is read and written; the gradients of so many rows of
// a panel still lie in the first-level cache.
constexpr size_t kProductRows = 96;

// Tasks, slices of all panels, that are aimed at, and the floats that their sums may take together.
constexpr size_t kTasks = 32;
constexpr size_t kSlicedFloats = size_t{2} << 20;

// Tasks that make it worth while: with fewer the product by itself has more to share out.
constexpr size_t kFewestTasks = 16;

size_t SumFloats(const RecurrencePlan& plan) { return plan.inputs * PanelColumns(plan); }

size_t SlicesOf(const RecurrencePlan& plan, size_t groups) {
  const size_t by_memory = kSlicedFloats / std::max<size_t>(SumFloats(plan) * PanelsOf(plan), 1);
  const size_t by_tasks = (kTasks + PanelsOf(plan) - 1) / PanelsOf(plan);
  return std::max<size_t>(std::min({by_tasks, by_memory, groups}), 1);
}

bool HasOneProduct(const RecurrencePlan& plan) {
  return plan.scan && plan.input_blocks == 1 && !plan.embedded && !plan.input_dropout;
}

}  // namespace

bool SumsKernelInScan(const RecurrencePlan& plan) {
  if (!HasOneProduct(plan)) return false;
  return SlicesOf(plan, plan.groups) * PanelsOf(plan) >= kFewestTasks;
}

size_t ScanKernelBytes(const RecurrencePlan& plan, int threads) {
  if (!HasOneProduct(plan)) return 0;
  const size_t sums = SlicesOf(plan, plan.MostGroups()) * PanelsOf(plan) * SumFloats(plan);
  return AlignedBytes(sums * sizeof(float)) + static_cast<size_t>(threads) * 2 * kProductRows * sizeof(const float*);
}

ScanKernelGradient::ScanKernelGradient(const RecurrencePlan& plan, const Sequences& sequences,
                                       const RecurrenceCache& cache, const float* x, int threads, void* scratch)
    : plan_(plan), sequences_(sequences), x_(x), slices_(SlicesOf(plan, plan.groups)), panels_(PanelsOf(plan)) {
  for (const BlockPlan& block : plan.blocks) {
    if (block.input >= 0) da_ = cache.kept + static_cast<size_t>(block.kept) * plan.padded;
  }
  Placement placement(scratch);
  sums_ = placement.Take<float>(slices_ * panels_ * SumFloats(plan));
  rows_ = placement.Take<const float*>(static_cast<size_t>(threads) * 2 * kProductRows);
}

float* ScanKernelGradient::SumOf(size_t slice, size_t panel) const {
  return sums_ + (slice * panels_ + panel) * SumFloats(plan_);
}

ScanKernelGradient::Sum::Sum(const ScanKernelGradient& gradient, size_t slice, size_t panel, int worker)
    : gradient_(gradient),
      panel_(panel),
      sum_(gradient.SumOf(slice, panel)),
      x_rows_(gradient.rows_ + static_cast<size_t>(worker) * 2 * kProductRows),
      da_rows_(x_rows_ + kProductRows) {}

const float* const* ScanKernelGradient::Sum::TakeTurns(size_t p, size_t turn, size_t turns, const ComingRows& coming) {
  const RecurrencePlan& plan = gradient_.plan_;
  const Sequences& sequences = gradient_.sequences_;
  if (rows_ + turns > kProductRows) Multiply(coming);
  const float* da = gradient_.da_ + p * plan.kept_stride + panel_ * PanelColumns(plan);
  const float* x = gradient_.x_ + static_cast<size_t>(sequences.order[p]) * plan.steps * plan.inputs;
  const size_t first = rows_;
  for (size_t j = 0; j < turns; ++j, ++rows_) {
    const size_t row = plan.RowOfTurn(turn - j);
    x_rows_[rows_] = x + sequences.Time(plan, p, row) * plan.inputs;
    da_rows_[rows_] = da + row * plan.kept_width;
  }
  return x_rows_ + first;
}

void ScanKernelGradient::Sum::Finish() {
  if (rows_ > 0) Multiply({});
  if (!begun_) std::fill_n(sum_, SumFloats(gradient_.plan_), 0.0f);
}

void ScanKernelGradient::Sum::Multiply(const ComingRows& coming) {
  const RecurrencePlan& plan = gradient_.plan_;
  KernelProduct product;
  product.rows = rows_;
  product.x = x_rows_;
  product.da = da_rows_;
  product.depth = plan.inputs;
  product.vectors = gradient_.Width(panel_) / VectorLanes();
  product.sum = sum_;
  product.add = begun_;
  product.coming = coming;
  ChosenScanGradientTable().multiply(product);
  rows_ = 0;
  begun_ = true;
}

// Floats of a row of a panel's sum.
size_t ScanKernelGradient::Width(size_t panel) const {
  const size_t left = std::min(PanelColumns(plan_), plan_.units - panel * PanelColumns(plan_));
  return (left + VectorLanes() - 1) / VectorLanes() * VectorLanes();
}

void ScanKernelGradient::AddSlices(float* dw, ThreadPool& pool) const {
  constexpr size_t kTaskRows = 16;
  const size_t parts = (plan_.inputs + kTaskRows - 1) / kTaskRows;
  pool.ParallelFor(parts * panels_, [&](size_t task, int) {
    const size_t panel = task % panels_, first_unit = panel * PanelColumns(plan_), width = Width(panel);
    const size_t count = std::min(PanelColumns(plan_), plan_.units - first_unit);
    const size_t first = task / panels_ * kTaskRows;
    for (size_t k = first; k < std::min(first + kTaskRows, plan_.inputs); ++k) {
      float* to = dw + k * plan_.units + first_unit;
      std::copy_n(SumOf(0, panel) + k * width, count, to);
      for (size_t slice = 1; slice < slices_; ++slice) {
        AddRow(count, SumOf(slice, panel) + k * width, to);
      }
    }
  });
}

}  // namespace slim
#endif
