#include <type_traits>

#include "cuda/launch.h"
#include "cuda/optimizer.h"
#include "cuda/ptx.h"
#include "cuda/warp_sums.h"

namespace slim::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;

// Products and sums are rounded one by one, as on the CPU: the rules subtract numbers that nearly cancel.
__device__ inline float Times(float a, float b) { return __fmul_rn(a, b); }
__device__ inline float Plus(float a, float b) { return __fadd_rn(a, b); }
__device__ inline float Minus(float a, float b) { return __fsub_rn(a, b); }

// What a step's update needs beside the rule, the same for all elements.
struct UpdateFactors {
  float learning_rate;
  float gradient_scale;  // of global_clip_norm; 1 without
  float kept;            // 1 - learning rate * weight decay
  float adam_rate;       // learning rate with Adam's bias corrections
};

// The element's places in the arrays of state.
struct StatePlace {
  float* state;
  int64_t stride;

  __device__ float Get(int array) const { return state[array * stride]; }
  __device__ void Set(int array, float value) const { state[array * stride] = value; }
};

// The rules of Keras 3.15, keras/src/optimizers: Step gets the gradient and returns what is subtracted from the
// parameter.

struct PlainSgd {
  __device__ static float Step(const OptimizerRule&, const UpdateFactors& factors, float gradient, const StatePlace&) {
    return Times(gradient, factors.learning_rate);
  }
};

// m = momentum m - rate g; w += m, or with Nesterov's form w += momentum m - rate g. State: m.
struct MomentumSgd {
  __device__ static float Step(const OptimizerRule& rule, const UpdateFactors& factors, float gradient,
                               const StatePlace& place) {
    const float descent = Times(gradient, factors.learning_rate);
    const float m = Minus(Times(place.Get(0), rule.momentum), descent);
    place.Set(0, m);
    return rule.nesterov ? Minus(descent, Times(m, rule.momentum)) : -m;
  }
};

// v = rho v + (1 - rho) g^2; a = rho a + (1 - rho) g where centered; increment = rate g / sqrt(v - a^2 + epsilon);
// with momentum m = momentum m + increment; w -= m. State: v, m, a.
struct Rmsprop {
  __device__ static float Step(const OptimizerRule& rule, const UpdateFactors& factors, float gradient,
                               const StatePlace& place) {
    const bool momentum = rule.momentum > 0;
    const float rest = 1.0f - rule.rho;
    const float v = Plus(Times(rule.rho, place.Get(0)), Times(rest, Times(gradient, gradient)));
    place.Set(0, v);
    float denominator = Plus(v, rule.epsilon);
    if (rule.centered) {
      const int average = momentum ? 2 : 1;
      const float a = Plus(Times(rule.rho, place.Get(average)), Times(rest, gradient));
      place.Set(average, a);
      denominator = Plus(Minus(v, Times(a, a)), rule.epsilon);
    }
    const float increment = Times(factors.learning_rate, gradient) / sqrtf(denominator);
    if (!momentum) return increment;
    const float m = Plus(Times(rule.momentum, place.Get(1)), increment);
    place.Set(1, m);
    return m;
  }
};

// m += (1 - beta1) (g - m), v += (1 - beta2) (g^2 - v), w -= rate' m / (sqrt(v) + epsilon), with AMSGrad the largest v
// so far. State: m, v, largest v.
struct Adam {
  __device__ static float Step(const OptimizerRule& rule, const UpdateFactors& factors, float gradient,
                               const StatePlace& place) {
    float m = place.Get(0);
    m = Plus(m, Times(Minus(gradient, m), 1.0f - rule.beta1));
    place.Set(0, m);
    float v = place.Get(1);
    v = Plus(v, Times(Minus(Times(gradient, gradient), v), 1.0f - rule.beta2));
    place.Set(1, v);
    if (rule.amsgrad) {
      const float largest = place.Get(2);
      // The comparison lets through what is not a number.
      if (v < largest) v = largest;
      place.Set(2, v);
    }
    return Times(m, factors.adam_rate) / Plus(sqrtf(v), rule.epsilon);
  }
};

// Keras computes the powers in single precision, and what rounding leaves of 1 - beta^t decides the size of early
// steps.
__device__ float AdamRate(const OptimizerRule& rule, const StepValues& values) {
  const double t = static_cast<double>(values.step) + 1.0;
  const float power1 = static_cast<float>(pow(static_cast<double>(rule.beta1), t));
  const float power2 = static_cast<float>(pow(static_cast<double>(rule.beta2), t));
  return values.learning_rate * sqrtf(1.0f - power2) / (1.0f - power1);
}

// Keras: scale = clip min(1 / norm, 1 / clip), NaN where the norm is not finite.
__device__ float GlobalScale(float clip_norm, double sum_of_squares) {
  const float norm = static_cast<float>(sqrt(sum_of_squares));
  const float scale = norm <= clip_norm ? 1.0f : clip_norm / norm;
  return scale + (norm - norm);
}

// `squares`: the sum over all gradients, or null.
template <class Rule>
__global__ void __launch_bounds__(kThreads)
    UpdateKernel(const __grid_constant__ OptimizerRule rule, const StepValues* step, const double* squares,
                 float clip_value, int64_t count, float* parameters, const float* gradients, float* state) {
  auto* factors = SharedMemory<UpdateFactors>();
  if (threadIdx.x == 0) {
    const StepValues values = *step;
    factors->learning_rate = values.learning_rate;
    factors->gradient_scale = squares == nullptr ? 1.0f : GlobalScale(rule.global_clip_norm, *squares);
    factors->kept = rule.weight_decay > 0 ? 1.0f - rule.weight_decay * values.learning_rate : 1.0f;
    if constexpr (std::is_same_v<Rule, Adam>) factors->adam_rate = AdamRate(rule, values);
  }
  __syncthreads();
  const UpdateFactors f = *factors;
  const int64_t stride = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += stride) {
    float gradient = gradients[i] * f.gradient_scale;
    // Comparisons with NaN are false, so NaN is not clipped away.
    if (gradient > clip_value) gradient = clip_value;
    if (gradient < -clip_value) gradient = -clip_value;
    const float down = Rule::Step(rule, f, gradient, StatePlace{state + i, count});
    parameters[i] = Minus(Times(parameters[i], f.kept), down);
  }
}

// --- norms -----------------------------------------------------------------------------------------------------------

// All threads of the block; the first one gets the sum.
__device__ double BlockSum(double value) {
  auto* warps = SharedMemory<double>();
  value = WarpSum(value);
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = value;
  __syncthreads();
  if (threadIdx.x != 0) return 0;
  double sum = 0;
  for (int warp = 0; warp < kWarps; ++warp) sum += warps[warp];
  return sum;
}

__device__ double SumOfSquares(const float* x, int64_t count, int64_t first, int64_t stride) {
  double sum = 0;
  for (int64_t i = first; i < count; i += stride) sum += static_cast<double>(x[i]) * x[i];
  return sum;
}

// A segment's sum of squares is taken in this many parts; so is that of all gradients.
constexpr int kParts = 32;
constexpr int kAllParts = 1024;
constexpr size_t kSumBytes = kWarps * sizeof(double);

__global__ void __launch_bounds__(kThreads) SquaresKernel(const float* gradients, int64_t count, double* parts) {
  const double sum = BlockSum(
      SumOfSquares(gradients, count, int64_t{blockIdx.x} * kThreads + threadIdx.x, int64_t{gridDim.x} * kThreads));
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(kThreads) AddSquaresKernel(const double* parts, int part_count, double* total) {
  double sum = 0;
  for (int part = static_cast<int>(threadIdx.x); part < part_count; part += kThreads) sum += parts[part];
  sum = BlockSum(sum);
  if (threadIdx.x == 0) *total = sum;
}

// Block x is part x % kParts of segment x / kParts.
__global__ void __launch_bounds__(kThreads)
    SegmentSquaresKernel(const float* gradients, const Segment* segments, double* parts) {
  const Segment segment = segments[blockIdx.x / kParts];
  const int64_t first = int64_t{blockIdx.x % kParts} * kThreads + threadIdx.x;
  const double sum = BlockSum(SumOfSquares(gradients + segment.offset, segment.size, first, kParts * kThreads));
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

// g = g clip_norm / max(norm, clip_norm) of each segment by itself; a norm that is NaN makes the segment NaN.
__global__ void __launch_bounds__(kThreads)
    ClipSegmentsKernel(float clip_norm, const Segment* segments, const double* parts, float* gradients) {
  auto* shared = SharedMemory<float>();
  const unsigned int number = blockIdx.x / kParts;
  if (threadIdx.x == 0) {
    double sum = 0;
    for (int part = 0; part < kParts; ++part) sum += parts[number * kParts + static_cast<unsigned int>(part)];
    *shared = static_cast<float>(sqrt(sum));
  }
  __syncthreads();
  const float norm = *shared;
  if (norm <= clip_norm) return;
  const Segment segment = segments[number];
  const int64_t first = int64_t{blockIdx.x % kParts} * kThreads + threadIdx.x;
  for (int64_t i = first; i < segment.size; i += kParts * kThreads) {
    gradients[segment.offset + i] = gradients[segment.offset + i] * clip_norm / norm;
  }
}

void ClipSegments(const CudaContext& context, float clip_norm, float* gradients, const Segment* segments,
                  int64_t segment_count, double* parts) {
  if (segment_count == 0) return;
  const LaunchShape shape{.grid = dim3(static_cast<unsigned int>(segment_count * kParts)),
                          .block = dim3(kThreads),
                          .shared_bytes = kSumBytes};
  Launch(&SegmentSquaresKernel, shape, context.stream, gradients, segments, parts);
  Launch(&ClipSegmentsKernel, shape, context.stream, clip_norm, segments, parts, gradients);
}

// Returns where the sum will be.
const double* SumAllSquares(const CudaContext& context, const float* gradients, int64_t count, double* parts) {
  const int64_t wanted = (count + kThreads - 1) / kThreads;
  const int blocks = wanted < 1 ? 1 : wanted < kAllParts ? static_cast<int>(wanted) : kAllParts;
  double* total = parts + kAllParts;
  Launch(&SquaresKernel, {.grid = static_cast<unsigned int>(blocks), .block = kThreads, .shared_bytes = kSumBytes},
         context.stream, gradients, count, parts);
  Launch(&AddSquaresKernel, {.grid = 1, .block = kThreads, .shared_bytes = kSumBytes}, context.stream, parts, blocks,
         total);
  return total;
}

}  // namespace

size_t OptimizerScratchBytes(const OptimizerRule& rule, int64_t segments) {
  if (rule.clip_norm > 0) return static_cast<size_t>(segments) * kParts * sizeof(double);
  return rule.global_clip_norm > 0 ? (kAllParts + 1) * sizeof(double) : 0;
}

void Update(const CudaContext& context, const OptimizerRule& rule, int64_t count, float* parameters, float* gradients,
            float* state, const Segment* segments, int64_t segment_count, void* scratch) {
  if (count == 0) return;
  const double* squares = nullptr;
  float clip_value = INFINITY;
  // As in Keras, of the three ways to clip the first that is set counts.
  if (rule.clip_norm > 0) {
    ClipSegments(context, rule.clip_norm, gradients, segments, segment_count, static_cast<double*>(scratch));
  } else if (rule.global_clip_norm > 0) {
    squares = SumAllSquares(context, gradients, count, static_cast<double*>(scratch));
  } else if (rule.clip_value > 0) {
    clip_value = rule.clip_value;
  }
  const auto update = [&](auto kernel) {
    const LaunchShape shape{.grid = dim3(BlocksFor(count, kThreads, context.device.multiprocessors)),
                            .block = dim3(kThreads),
                            .shared_bytes = sizeof(UpdateFactors)};
    Launch(kernel, shape, context.stream, rule, context.step, squares, clip_value, count, parameters, gradients, state);
  };
  switch (rule.kind) {
    case OptimizerKind::kSgd:
      return rule.momentum > 0 ? update(&UpdateKernel<MomentumSgd>) : update(&UpdateKernel<PlainSgd>);
    case OptimizerKind::kRmsprop:
      return update(&UpdateKernel<Rmsprop>);
    case OptimizerKind::kAdam:
    case OptimizerKind::kAdamw:
      return update(&UpdateKernel<Adam>);
  }
}

}  // namespace slim::cuda
