#include "cuda/context.h"
#include "cuda/launch.h"
#include "cuda/recurrence_sequences.h"

namespace slim::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kWarps = kThreads / 32;
constexpr unsigned kAllLanes = 0xFFFFFFFFu;

__device__ inline int64_t ThreadIndex() { return static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; }

// A warp lists one sequence.
__global__ void __launch_bounds__(kThreads)
    FindTurnsKernel(int64_t batch, int64_t steps, bool reverse, const uint8_t* mask, WalkLists lists) {
  const int64_t b = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32;
  if (b >= batch) return;
  const int lane = static_cast<int>(threadIdx.x % 32);
  int turns = 0;
  for (int64_t first = 0; first < steps; first += 32) {
    const int64_t step = first + lane;
    const int64_t time = reverse ? steps - 1 - step : step;
    const bool counts = step < steps && mask[b * steps + time] != 0;
    const unsigned those = __ballot_sync(kAllLanes, counts);
    const int before = __popc(those & ((1u << lane) - 1u));
    if (counts) lists.times[b * steps + turns + before] = static_cast<int32_t>(time);
    turns += __popc(those);
  }
  if (lane == 0) lists.lengths[b] = turns;
}

// A sequence's place is the number of those that come before it.
__global__ void __launch_bounds__(kThreads) OrderSequencesKernel(int64_t batch, WalkLists lists) {
  const int64_t b = ThreadIndex();
  if (b >= batch) return;
  const int32_t own = lists.lengths[b];
  int64_t place = 0;
  for (int64_t other = 0; other < batch; ++other) {
    const int32_t length = lists.lengths[other];
    place += length > own || (length == own && other < b);
  }
  lists.order[place] = static_cast<int32_t>(b);
}

__global__ void __launch_bounds__(kThreads)
    FillMaskedOutputKernel(Walk walk, int64_t units, const uint8_t* mask, StateRows<float> output) {
  const int64_t index = ThreadIndex();
  if (index >= walk.batch * units) return;
  const int64_t b = index / units, j = index % units;
  float h = 0.0f;
  for (int step = 0; step < walk.steps; ++step) {
    const int time = walk.reverse ? static_cast<int>(walk.steps) - 1 - step : step;
    float* at = output.At(walk, b, time) + j;
    if (mask[b * walk.steps + time] != 0) {
      h = *at;
    } else {
      *at = h;
    }
  }
}

__global__ void __launch_bounds__(kThreads)
    GatherMaskedGradientsKernel(Walk walk, int64_t units, const uint8_t* mask, StateRows<const float> doutput,
                                float* gathered) {
  const int64_t index = ThreadIndex();
  if (index >= walk.batch * units) return;
  const int64_t b = index / units, j = index % units;
  float sum = 0.0f;
  for (int step = static_cast<int>(walk.steps) - 1; step >= 0; --step) {
    const int time = walk.reverse ? static_cast<int>(walk.steps) - 1 - step : step;
    const int64_t position = b * walk.steps + time;
    sum += doutput.At(walk, b, time)[j];
    if (mask[position] == 0) continue;
    gathered[position * units + j] = sum;
    sum = 0.0f;
  }
}

__global__ void __launch_bounds__(kThreads)
    ClearMaskedRowsKernel(int64_t positions, int64_t width, const uint8_t* mask, float* rows) {
  for (int64_t position = blockIdx.x; position < positions; position += gridDim.x) {
    if (mask[position] != 0) continue;
    for (int64_t i = threadIdx.x; i < width; i += kThreads) rows[position * width + i] = 0.0f;
  }
}

LaunchShape OneThreadEach(int64_t count) {
  return {.grid = dim3(static_cast<unsigned>((count + kThreads - 1) / kThreads)), .block = dim3(kThreads)};
}

}  // namespace

Walk WalkAll(const RecurrencePlan& plan) {
  return {plan.batch, plan.steps, plan.shape.reverse, nullptr, nullptr, nullptr};
}

Walk WalkMasked(const RecurrencePlan& plan, const WalkLists& lists) {
  return {plan.batch, plan.steps, plan.shape.reverse, lists.order, lists.lengths, lists.times};
}

void FindTurns(const CudaContext& context, const RecurrencePlan& plan, const uint8_t* mask, const WalkLists& lists) {
  Launch(FindTurnsKernel, OneThreadEach(plan.batch * 32), context.stream, plan.batch, plan.steps, plan.shape.reverse,
         mask, lists);
  Launch(OrderSequencesKernel, OneThreadEach(plan.batch), context.stream, plan.batch, lists);
}

void FillMaskedOutput(const CudaContext& context, const Walk& walk, int64_t units, const uint8_t* mask,
                      const StateRows<float>& output) {
  Launch(FillMaskedOutputKernel, OneThreadEach(walk.batch * units), context.stream, walk, units, mask, output);
}

void GatherMaskedGradients(const CudaContext& context, const Walk& walk, int64_t units, const uint8_t* mask,
                           const StateRows<const float>& doutput, float* gathered) {
  Launch(GatherMaskedGradientsKernel, OneThreadEach(walk.batch * units), context.stream, walk, units, mask, doutput,
         gathered);
}

void ClearMaskedRows(const CudaContext& context, const RecurrencePlan& plan, const uint8_t* mask, int64_t width,
                     float* rows) {
  constexpr int64_t kMostBlocks = 4096;
  const int64_t blocks = plan.positions < kMostBlocks ? plan.positions : kMostBlocks;
  Launch(ClearMaskedRowsKernel, LaunchShape{.grid = dim3(static_cast<unsigned>(blocks)), .block = dim3(kThreads)},
         context.stream, plan.positions, width, mask, rows);
}

}  // namespace slim::cuda
