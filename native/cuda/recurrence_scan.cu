#include <type_traits>

#include "cuda/context.h"
#include "cuda/launch.h"
#include "cuda/recurrence_scan.h"

namespace slim::cuda {
namespace {

// Few, so that the threads of small batches spread over all multiprocessors.
constexpr int kThreads = 64;

// Blocks whose values are read at each turn: the candidate alone, or any.
template <int kRead>
__device__ constexpr int ReadBlock(int i) {
  return kRead == 1 ? static_cast<int>(kCandidate) : i;
}

// Turns of a stretch. Reading runs one stretch ahead of the computation, what it needs to know two and three. Where
// every activation is a choice among all, longer stretches would be more instructions than their cache holds.
template <class Activations, int kRead>
constexpr int kStretch = std::is_same_v<Activations, AnyActivations> ? 2
                         : kRead == 1                                ? 8
                                                                     : 4;

// The turns [first, first + kStretch) of a walk forwards, or those down from `first` of a walk back.
template <int kTurns>
struct Times {
  int at[kTurns];
};

template <int kTurns>
__device__ inline Times<kTurns> LoadTimes(const Walk& walk, int64_t b, int turns, int first, int direction) {
  Times<kTurns> times;
#pragma unroll
  for (int i = 0; i < kTurns; ++i) {
    const int turn = first + i * direction;
    times.at[i] = turn >= 0 && turn < turns ? walk.Time(b, turn) : -1;
  }
  return times;
}

template <int kTurns>
__device__ inline Times<kTurns> LoadIndices(const InputProducts& products, int64_t first_position,
                                            const Times<kTurns>& times) {
  if (products.index == nullptr) return times;
  Times<kTurns> indices;
#pragma unroll
  for (int i = 0; i < kTurns; ++i) {
    indices.at[i] = times.at[i] < 0 ? -1 : products.index[first_position + times.at[i]];
  }
  return indices;
}

// One column of a sequence's rows by time, so that a turn's address is one multiply-add.
template <class Float>
struct Column {
  Float* first;
  int stride;

  __device__ Column(Float* rows, int64_t first_row, int64_t row_stride, int64_t column)
      : first(rows == nullptr ? nullptr : rows + first_row * row_stride + column),
        stride(static_cast<int>(row_stride)) {}
  __device__ Float* At(int row) const { return first + static_cast<int64_t>(row) * stride; }
};

template <int kRead, int kTurns>
struct Products {
  float at[kTurns][kRead];
};

template <int kRead, int kTurns>
__device__ inline Products<kRead, kTurns> LoadProducts(const InputProducts& products, const Column<const float>& column,
                                                       int units, const Times<kTurns>& indices) {
  Products<kRead, kTurns> loaded;
#pragma unroll
  for (int i = 0; i < kTurns; ++i) {
    const float* row = column.At(indices.at[i]);
#pragma unroll
    for (int r = 0; r < kRead; ++r) {
      const int place = products.place[ReadBlock<kRead>(r)];
      loaded.at[i][r] = indices.at[i] >= 0 && place >= 0 ? row[place * units] : 0.0f;
    }
  }
  return loaded;
}

template <class Activations, int kRead>
__global__ void __launch_bounds__(kThreads) ScanForwardKernel(ForwardOperands operands) {
  constexpr int kTurns = kStretch<Activations, kRead>;
  const Walk& walk = operands.walk;
  const CellPlan& cell = operands.cell;
  const KeptRows& kept = operands.kept;
  const int units = static_cast<int>(operands.weights.units);
  const int64_t index = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (index >= walk.batch * units) return;
  const int64_t b = walk.Sequence(index / units), j = index % units;
  const int64_t first_position = b * walk.steps;
  const int turns = walk.Turns(b);
  const Activations activations(cell);
  const Unit unit = LoadUnit(cell, activations, operands.weights, b, j);

  const Column<const float> column(operands.products.rows, operands.products.index == nullptr ? first_position : 0,
                                   operands.products.width, j);
  const Column<float> kept_values(kept.values, first_position, kept.width, j);
  const Column<float> c_before(kept.c_before, first_position, units, j),
      h_before(kept.h_before, first_position, units, j);
  const Column<float> output(operands.output.rows, operands.output.sequences ? first_position : b,
                             operands.output.stride, j);

  Times<kTurns> times = LoadTimes<kTurns>(walk, b, turns, 0, 1);
  Times<kTurns> next_times = LoadTimes<kTurns>(walk, b, turns, kTurns, 1);
  Times<kTurns> later_times = LoadTimes<kTurns>(walk, b, turns, 2 * kTurns, 1);
  Times<kTurns> next_indices = LoadIndices(operands.products, first_position, next_times);
  Products<kRead, kTurns> products = LoadProducts<kRead, kTurns>(operands.products, column, units,
                                                                 LoadIndices(operands.products, first_position, times));
  float h = 0.0f, c = 0.0f;
  for (int first = 0; first < turns; first += kTurns) {
    const Products<kRead, kTurns> next_products =
        LoadProducts<kRead, kTurns>(operands.products, column, units, next_indices);
    const Times<kTurns> later_indices = LoadIndices(operands.products, first_position, later_times);
    const Times<kTurns> last_times = LoadTimes<kTurns>(walk, b, turns, first + 3 * kTurns, 1);
#pragma unroll
    for (int i = 0; i < kTurns; ++i) {
      if (first + i >= turns) break;
      BlockValues<float> sums = {};
#pragma unroll
      for (int r = 0; r < kRead; ++r) sums[ReadBlock<kRead>(r)] = products.at[i][r];
      const BlockValues<float> values = ValuesOf(cell, activations, unit, sums, h);
      if (kept.KeepsStates()) {
        *c_before.At(times.at[i]) = c;
        if (kept.h_before != nullptr) *h_before.At(times.at[i]) = h;
#pragma unroll
        for (int r = 0; r < kRead; ++r) {
          const int block = ReadBlock<kRead>(r);
          if (cell.kept[block] >= 0) kept_values.At(times.at[i])[cell.kept[block] * units] = values[block];
        }
      }
      c = NextState(values, c);
      h = Output(values, activations.State(c));
      if (operands.output.sequences) *output.At(operands.output.Row(walk, times.at[i])) = h;
    }
    products = next_products;
    times = next_times;
    next_times = later_times;
    later_times = last_times;
    next_indices = later_indices;
  }
  if (!operands.output.sequences) *output.first = h;
}

// Sums of a few steps in registers.
struct ShortSums {
  float bias[kBlocks] = {}, diagonal[kBlocks] = {};

  __device__ void Add(const BlockValues<float>& da, float h_before) {
#pragma unroll
    for (int k = 0; k < kBlocks; ++k) {
      bias[k] += da[k];
      diagonal[k] += da[k] * h_before;
    }
  }
  __device__ void AddTo(const CellPlan& cell, double* sums, int64_t units, int64_t j) const {
#pragma unroll
    for (int k = 0; k < kBlocks; ++k) {
      if (cell.bias[k] >= 0) sums[cell.bias[k] * units + j] += static_cast<double>(bias[k]);
      if (cell.diagonal[k] >= 0) sums[cell.DiagonalSum(k) * units + j] += static_cast<double>(diagonal[k]);
    }
  }
};

template <int kRead, int kTurns>
struct KeptSteps {
  float values[kTurns][kRead];
  float c_before[kTurns], h_before[kTurns], dh[kTurns];
};

// The columns that a thread walks back.
struct KeptColumns {
  Column<float> values;
  Column<const float> c_before, h_before, doutput;
};

template <int kRead, int kTurns>
__device__ inline KeptSteps<kRead, kTurns> LoadSteps(const BackwardOperands& operands, const KeptColumns& columns,
                                                     int units, const Times<kTurns>& times) {
  KeptSteps<kRead, kTurns> steps;
  const StateRows<const float>& doutput = operands.doutput;
#pragma unroll
  for (int i = 0; i < kTurns; ++i) {
    const int time = times.at[i];
    const bool there = time >= 0;
    steps.c_before[i] = there ? *columns.c_before.At(time) : 0.0f;
    steps.h_before[i] = there && columns.h_before.first != nullptr ? *columns.h_before.At(time) : 0.0f;
    steps.dh[i] = there && doutput.sequences ? *columns.doutput.At(doutput.Row(operands.walk, time)) : 0.0f;
#pragma unroll
    for (int r = 0; r < kRead; ++r) {
      const int place = operands.cell.kept[ReadBlock<kRead>(r)];
      steps.values[i][r] = there && place >= 0 ? columns.values.At(time)[place * units] : 0.0f;
    }
  }
  return steps;
}

template <class Activations, int kRead>
__global__ void __launch_bounds__(kThreads) ScanBackwardKernel(BackwardOperands operands) {
  constexpr int kTurns = kStretch<Activations, kRead>;
  const Walk& walk = operands.walk;
  const CellPlan& cell = operands.cell;
  const int units = static_cast<int>(operands.weights.units);
  const int64_t index = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (index >= walk.batch * units) return;
  const int64_t b = walk.Sequence(index / units), j = index % units;
  const int turns = walk.Turns(b);
  const Activations activations(cell);
  const Unit unit = LoadUnit(cell, activations, operands.weights, b, j);

  const int64_t first_position = b * walk.steps;
  const KeptColumns columns = {
      {operands.kept.values, first_position, operands.kept.width, j},
      {operands.kept.c_before, first_position, units, j},
      {operands.kept.h_before, first_position, units, j},
      {operands.doutput.rows, operands.doutput.sequences ? first_position : b, operands.doutput.stride, j}};

  const int last = turns - 1;
  Times<kTurns> times = LoadTimes<kTurns>(walk, b, turns, last, -1);
  Times<kTurns> next_times = LoadTimes<kTurns>(walk, b, turns, last - kTurns, -1);
  KeptSteps<kRead, kTurns> steps = LoadSteps<kRead, kTurns>(operands, columns, units, times);
  float dh = operands.doutput.sequences ? 0.0f : *columns.doutput.first;
  float dc = 0.0f;
  double* memory = operands.sums + b * operands.sum_blocks * units;
  ClearSums(cell, memory, units, j);
  ShortSums sums;
  for (int first = last; first >= 0; first -= kTurns) {
    const KeptSteps<kRead, kTurns> next_steps = LoadSteps<kRead, kTurns>(operands, columns, units, next_times);
    const Times<kTurns> later_times = LoadTimes<kTurns>(walk, b, turns, first - 2 * kTurns, -1);
#pragma unroll
    for (int i = 0; i < kTurns; ++i) {
      if (first - i < 0) break;
      BlockValues<float> kept = {};
#pragma unroll
      for (int r = 0; r < kRead; ++r) kept[ReadBlock<kRead>(r)] = steps.values[i][r];
      const float h_before = steps.h_before[i];
      const BlockValues<float> values = ValuesAgain(cell, activations, unit, kept, h_before);
      const BlockValues<float> da = StepGradients(cell, activations, values, steps.c_before[i], dh + steps.dh[i], dc);
      sums.Add(da, h_before);
#pragma unroll
      for (int r = 0; r < kRead; ++r) {
        const int block = ReadBlock<kRead>(r);
        if (cell.kept[block] >= 0) columns.values.At(times.at[i])[cell.kept[block] * units] = da[block];
      }
      dh = 0.0f;
#pragma unroll
      for (int k = 0; k < kBlocks; ++k) dh += unit.diagonal[k] * da[k];
    }
    if ((last - first) % kShortSum == kShortSum - kTurns) {
      sums.AddTo(cell, memory, units, j);
      sums = {};
    }
    steps = next_steps;
    times = next_times;
    next_times = later_times;
  }
  sums.AddTo(cell, memory, units, j);
  ScaleSums(cell, operands.weights, b, memory, j);
}

// Whether no block but the candidate is read.
bool ReadsCandidateAlone(const CellPlan& cell) {
  for (int k = 0; k < kBlocks; ++k) {
    if (k != kCandidate && cell.kept[k] >= 0) return false;
  }
  return true;
}

template <class Operands>
void LaunchScan(const CudaContext& context, const RecurrencePlan& plan, void (*kernel)(Operands),
                const Operands& operands) {
  const int64_t blocks = (plan.batch * plan.units + kThreads - 1) / kThreads;
  Launch(kernel, LaunchShape{.grid = dim3(static_cast<unsigned>(blocks)), .block = dim3(kThreads)}, context.stream,
         operands);
}

}  // namespace

bool ScanServes(const RecurrencePlan& plan) {
  return plan.full_blocks == 0 && plan.cell.activation != Activation::kSoftmax;
}

void ScanForward(const CudaContext& context, const RecurrencePlan& plan, const ForwardOperands& operands) {
  const auto kernel = !plan.cell.HasTanhAndSigmoid()   ? ScanForwardKernel<AnyActivations, 4>
                      : ReadsCandidateAlone(plan.cell) ? ScanForwardKernel<TanhAndSigmoid, 1>
                                                       : ScanForwardKernel<TanhAndSigmoid, 4>;
  LaunchScan(context, plan, kernel, operands);
}

void ScanBackward(const CudaContext& context, const RecurrencePlan& plan, const BackwardOperands& operands) {
  const auto kernel = !plan.cell.HasTanhAndSigmoid()   ? ScanBackwardKernel<AnyActivations, 4>
                      : ReadsCandidateAlone(plan.cell) ? ScanBackwardKernel<TanhAndSigmoid, 1>
                                                       : ScanBackwardKernel<TanhAndSigmoid, 4>;
  LaunchScan(context, plan, kernel, operands);
}

}  // namespace slim::cuda
