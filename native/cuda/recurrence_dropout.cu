#include <algorithm>

#include "backend.h"
#include "cuda/context.h"
#include "cuda/launch.h"
#include "cuda/recurrence_dropout.h"
#include "philox.h"

namespace slim::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMostBlocks = 8192;

__device__ inline int64_t ThreadIndex() { return static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; }
__device__ inline int64_t Threads() { return static_cast<int64_t>(gridDim.x) * kThreads; }

__global__ void __launch_bounds__(kThreads) FactorsKernel(const StepValues* step, uint32_t stream, uint32_t threshold,
                                                          float kept, int64_t count, float* factors) {
  const RandomStream random{step->seed, step->step, stream};
  for (int64_t block = ThreadIndex(); block * 4 < count; block += Threads()) {
    uint32_t words[4];
    random.Block(static_cast<uint64_t>(block), words);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (block * 4 + i < count) factors[block * 4 + i] = words[i] < threshold ? 0.0f : kept;
    }
  }
}

struct Factors {
  const float* at;  // of the block, sequence 0; or null
  int64_t steps, width;

  __device__ float operator()(int64_t position, int64_t i) const {
    return at == nullptr ? 1.0f : at[position / steps * kBlocks * width + i];
  }
};

__global__ void __launch_bounds__(kThreads)
    ScaleRowsKernel(int64_t positions, IndexedRows from, Factors factors, float* to) {
  const int64_t count = positions * from.width;
  for (int64_t at = ThreadIndex(); at < count; at += Threads()) {
    const int64_t position = at / from.width, i = at % from.width;
    const int64_t row = from.index == nullptr ? position : from.index[position];
    to[at] = from.rows[row * from.width + i] * factors(position, i);
  }
}

template <bool kAdd>
__global__ void __launch_bounds__(kThreads)
    AddScaledRowsKernel(int64_t positions, int64_t width, const float* from, Factors factors, float* to) {
  const int64_t count = positions * width;
  for (int64_t at = ThreadIndex(); at < count; at += Threads()) {
    const float scaled = from[at] * factors(at / width, at % width);
    to[at] = kAdd ? to[at] + scaled : scaled;
  }
}

LaunchShape StrideOver(int64_t count) {
  const int64_t blocks = std::clamp((count + kThreads - 1) / kThreads, int64_t{1}, kMostBlocks);
  return {.grid = dim3(static_cast<unsigned>(blocks)), .block = dim3(kThreads)};
}

Factors FactorsOf(const float* factors, int block, int64_t steps, int64_t width) {
  return {factors == nullptr ? nullptr : factors + block * width, steps, width};
}

}  // namespace

void MakeDropoutFactors(const CudaContext& context, float rate, uint32_t stream, int64_t batch, int64_t width,
                        float* factors) {
  const int64_t count = batch * kBlocks * width;
  Launch(FactorsKernel, StrideOver((count + 3) / 4), context.stream, context.step, stream, DropThreshold(rate),
         1.0f / (1.0f - rate), count, factors);
}

void ScaleRows(const CudaContext& context, int64_t positions, int64_t steps, const IndexedRows& from,
               const float* factors, int block, float* to) {
  Launch(ScaleRowsKernel, StrideOver(positions * from.width), context.stream, positions, from,
         FactorsOf(factors, block, steps, from.width), to);
}

void AddScaledRows(const CudaContext& context, int64_t positions, int64_t steps, int64_t width, const float* from,
                   const float* factors, int block, float* to) {
  Launch(AddScaledRowsKernel<true>, StrideOver(positions * width), context.stream, positions, width, from,
         FactorsOf(factors, block, steps, width), to);
}

void SetScaledRows(const CudaContext& context, int64_t positions, int64_t steps, int64_t width, const float* from,
                   const float* factors, int block, float* to) {
  Launch(AddScaledRowsKernel<false>, StrideOver(positions * width), context.stream, positions, width, from,
         FactorsOf(factors, block, steps, width), to);
}

}  // namespace slim::cuda
