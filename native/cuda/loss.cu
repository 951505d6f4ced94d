#include <algorithm>

#include "cuda/launch.h"
#include "cuda/loss.h"
#include "cuda/loss_sample.h"
#include "cuda/ptx.h"

namespace slim::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
// Blocks at the most: the last one adds up what all of them left in the workspace.
constexpr int kMostBlocks = 128;

__device__ inline const float* DenseTargets(const LossShape& shape, const LossOperands& operands, int64_t number) {
  return static_cast<const float*>(operands.targets) + number * shape.outputs;
}

__device__ int64_t ClassOf(const LossShape& shape, const LossOperands& operands, int64_t number, int lane) {
  if (shape.loss == Loss::kSparseCategoricalCrossentropy) return static_cast<const int32_t*>(operands.targets)[number];
  const float* targets = DenseTargets(shape, operands, number);
  return shape.outputs == 1 ? targets[0] > 0.5f : IndexOfLargest(targets, shape.outputs, lane);
}

__device__ double SampleLoss(const LossShape& shape, const LossOperands& operands, int64_t number, int64_t own_class,
                             const LossSample& sample) {
  const bool logits = shape.form == OutputForm::kLogits;
  if (shape.loss == Loss::kSparseCategoricalCrossentropy) {
    const ClassTarget target{own_class};
    return logits ? SoftmaxCrossentropy(sample, target) : ProbabilityCrossentropy(sample, target);
  }
  const DenseTarget target{DenseTargets(shape, operands, number)};
  switch (shape.loss) {
    case Loss::kCategoricalCrossentropy:
      return logits ? SoftmaxCrossentropy(sample, target) : ProbabilityCrossentropy(sample, target);
    case Loss::kBinaryCrossentropy:
      return logits ? SigmoidCrossentropy(sample, target) : BinaryProbabilityCrossentropy(sample, target);
    default:
      return SquaredError(sample, target);
  }
}

__device__ double Correct(const LossShape& shape, const LossOperands& operands, int64_t number, int64_t own_class,
                          const LossSample& sample) {
  const bool binary =
      shape.loss == Loss::kBinaryCrossentropy || (shape.loss == Loss::kMeanSquaredError && shape.outputs == 1);
  if (!binary) return IndexOfLargest(sample.outputs, sample.count, sample.lane) == own_class ? 1.0 : 0.0;
  const float threshold = shape.form == OutputForm::kLogits ? 0.0f : 0.5f;
  const float* targets = DenseTargets(shape, operands, number);
  const double equal = SumOverOutputs(sample, [&](int64_t i) -> double {
    return (sample.outputs[i] > threshold ? 1.0f : 0.0f) == targets[i] ? 1.0 : 0.0;
  });
  return equal / static_cast<double>(sample.count);
}

// Fewer than k outputs are larger than that of the class; as in TensorFlow's in_top_k.
__device__ double InTopK(const LossShape& shape, int64_t own_class, const LossSample& sample) {
  const float own = sample.outputs[own_class];
  const double larger =
      SumOverOutputs(sample, [&](int64_t i) -> double { return sample.outputs[i] <= own ? 0.0 : 1.0; });
  return own - own == 0.0f && larger < static_cast<double>(shape.top_k) ? 1.0 : 0.0;
}

__device__ void AddTo(MetricSums& sum, const MetricSums& other) {
  sum.loss += other.loss;
  sum.samples += other.samples;
  sum.correct += other.correct;
  sum.in_top_k += other.in_top_k;
}

// A warp takes every sample whose number is its own modulo the number of warps.
__device__ MetricSums SumOfWarp(const LossShape& shape, int64_t batch, const LossOperands& operands) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int64_t warp = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
  const int64_t warps = int64_t{gridDim.x} * kWarps;
  MetricSums sum{0, 0, 0, 0};
  for (int64_t number = warp; number < batch; number += warps) {
    const int64_t own_class = ClassOf(shape, operands, number, lane);
    const float weight = operands.class_weights == nullptr ? 1.0f : operands.class_weights[own_class];
    float* gradient = operands.doutputs == nullptr ? nullptr : operands.doutputs + number * shape.outputs;
    const LossSample sample{operands.outputs + number * shape.outputs, shape.outputs, gradient,
                            weight / static_cast<float>(batch), lane};
    sum.loss += weight * SampleLoss(shape, operands, number, own_class, sample);
    sum.samples += 1;
    sum.correct += Correct(shape, operands, number, own_class, sample);
    if (shape.top_k > 0) sum.in_top_k += InTopK(shape, own_class, sample);
  }
  return sum;
}

__global__ void __launch_bounds__(kThreads)
    LossKernel(const __grid_constant__ LossShape shape, int64_t batch, const __grid_constant__ LossOperands operands,
               MetricSums* parts, uint32_t* ticket) {
  auto* warps = SharedMemory<MetricSums>();
  const MetricSums own = SumOfWarp(shape, batch, operands);
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = own;
  __syncthreads();
  if (threadIdx.x != 0) return;
  MetricSums sum{0, 0, 0, 0};
  for (int warp = 0; warp < kWarps; ++warp) AddTo(sum, warps[warp]);
  parts[blockIdx.x] = sum;
  __threadfence();
  if (atomicAdd(ticket, 1u) + 1 < gridDim.x) return;
  // The last block: what the others wrote before they counted is there.
  __threadfence();
  *ticket = 0;
  MetricSums total = *operands.sums;
#pragma unroll 1
  for (unsigned int block = 0; block < gridDim.x; ++block) {
    const MetricSums part{__ldcg(&parts[block].loss), __ldcg(&parts[block].samples), __ldcg(&parts[block].correct),
                          __ldcg(&parts[block].in_top_k)};
    AddTo(total, part);
  }
  *operands.sums = total;
}

}  // namespace

void ComputeLoss(const CudaContext& context, const LossShape& shape, int64_t batch, const LossOperands& operands) {
  if (batch == 0) return;
  const auto blocks = static_cast<unsigned int>(std::min<int64_t>((batch + kWarps - 1) / kWarps, kMostBlocks));
  Launch(&LossKernel, {.grid = blocks, .block = kThreads, .shared_bytes = kWarps * sizeof(MetricSums)}, context.stream,
         shape, batch, operands, static_cast<MetricSums*>(context.workspace), context.tickets);
}

}  // namespace slim::cuda
