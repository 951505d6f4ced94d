#include "cell.h"
#include "cuda/activation.h"
#include "cuda/elementwise.h"
#include "cuda/warp_sums.h"

namespace slim::cuda {
namespace {

struct Forward {
  Activation activation;
  const float* x;
  float* y;

  __device__ void operator()(int64_t i) const { y[i] = Activate(activation, x[i]); }
};

struct Backward {
  Activation activation;
  const float* y;
  const float* dy;
  float* dx;

  __device__ void operator()(int64_t i) const { dx[i] = dy[i] * ActivationSlope(activation, y[i]); }
};

// A warp takes a row, its lanes the columns in turn.
constexpr int kThreads = 128;

__device__ inline int64_t RowOfWarp() { return (int64_t{blockIdx.x} * kThreads + threadIdx.x) / 32; }

__global__ void __launch_bounds__(kThreads) SoftmaxKernel(int64_t rows, int64_t width, const float* x, float* y) {
  const int64_t row = RowOfWarp();
  if (row >= rows) return;
  const int lane = static_cast<int>(threadIdx.x % 32);
  const float* from = x + row * width;
  float* to = y + row * width;
  float largest = from[0];
  for (int64_t j = lane; j < width; j += 32) largest = fmaxf(largest, from[j]);
  largest = WarpMaximum(largest);
  // The maximum leaves out what is not a number; the differences do not.
  float sum = 0;
  for (int64_t j = lane; j < width; j += 32) {
    const float e = expf(from[j] - largest);
    to[j] = e;
    sum += e;
  }
  const float scale = 1.0f / WarpSum(sum);
  for (int64_t j = lane; j < width; j += 32) to[j] *= scale;
}

__global__ void __launch_bounds__(kThreads)
    SoftmaxGradientKernel(int64_t rows, int64_t width, const float* y, const float* dy, float* dx) {
  const int64_t row = RowOfWarp();
  if (row >= rows) return;
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int64_t begin = row * width;
  float sum = 0;
  for (int64_t j = lane; j < width; j += 32) sum += dy[begin + j] * y[begin + j];
  sum = WarpSum(sum);
  for (int64_t j = lane; j < width; j += 32) dx[begin + j] = y[begin + j] * (dy[begin + j] - sum);
}

LaunchShape OneWarpEach(int64_t rows) {
  return {.grid = dim3(static_cast<unsigned int>((rows * 32 + kThreads - 1) / kThreads)), .block = dim3(kThreads)};
}

}  // namespace

void ActivationForward(const CudaContext& context, Activation activation, int64_t rows, int64_t width, const float* x,
                       float* y) {
  if (activation != Activation::kSoftmax) {
    ForEachElement(context, rows * width, Forward{activation, x, y});
  } else if (rows > 0) {
    Launch(&SoftmaxKernel, OneWarpEach(rows), context.stream, rows, width, x, y);
  }
}

void ActivationBackward(const CudaContext& context, Activation activation, int64_t rows, int64_t width, const float* y,
                        const float* dy, float* dx) {
  if (activation != Activation::kSoftmax) {
    ForEachElement(context, rows * width, Backward{activation, y, dy, dx});
  } else if (rows > 0) {
    Launch(&SoftmaxGradientKernel, OneWarpEach(rows), context.stream, rows, width, y, dy, dx);
  }
}

}  // namespace slim::cuda
