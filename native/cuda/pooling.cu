#include "cuda/elementwise.h"
#include "cuda/pooling.h"

namespace slim::cuda {
namespace {

// An element of y: neighbours are channels.
struct WindowMaximum {
  MaxPoolShape shape;
  const float* x;
  float* y;
  int32_t* winners;

  __device__ void operator()(int64_t i) const {
    const int64_t channel = i % shape.channels;
    const int64_t row = i / shape.channels;
    const int64_t sample = row / shape.out_steps;
    const int64_t first = (row - sample * shape.out_steps) * shape.stride - shape.pad_left;
    const int64_t begin = max(first, int64_t{0});
    const int64_t end = min(first + shape.pool, shape.steps);
    const float* at = x + (sample * shape.steps + begin) * shape.channels + channel;
    float best = *at;
    int64_t winner = begin;
#pragma unroll 4
    for (int64_t t = begin + 1; t < end; ++t) {
      at += shape.channels;
      const float candidate = *at;
      if (candidate > best || candidate != candidate) best = candidate, winner = t;
    }
    y[i] = best;
    if (winners != nullptr) winners[i] = static_cast<int32_t>(winner);
  }
};

// An element of dx: the gradients of all windows that it won.
struct SumOfWon {
  MaxPoolShape shape;
  const int32_t* winners;
  const float* dy;
  float* dx;

  __device__ void operator()(int64_t i) const {
    const int64_t channel = i % shape.channels;
    const int64_t row = i / shape.channels;
    const int64_t sample = row / shape.steps;
    const int64_t t = row - sample * shape.steps;
    // Windows whose first row is at most t, and whose last is at least t.
    const int64_t reach = t + shape.pad_left;
    const int64_t last = min(reach / shape.stride, shape.out_steps - 1);
    const int64_t first = reach < shape.pool ? 0 : (reach - shape.pool) / shape.stride + 1;
    float sum = 0;
    for (int64_t window = first; window <= last; ++window) {
      const int64_t at = (sample * shape.out_steps + window) * shape.channels + channel;
      if (winners[at] == t) sum += dy[at];
    }
    dx[i] = sum;
  }
};

}  // namespace

void MaxPoolForward(const CudaContext& context, const MaxPoolShape& shape, int64_t batch, const float* x, float* y,
                    int32_t* winners) {
  ForEachElement(context, batch * shape.out_steps * shape.channels, WindowMaximum{shape, x, y, winners});
}

void MaxPoolBackward(const CudaContext& context, const MaxPoolShape& shape, int64_t batch, const int32_t* winners,
                     const float* dy, float* dx) {
  ForEachElement(context, batch * shape.steps * shape.channels, SumOfWon{shape, winners, dy, dx});
}

}  // namespace slim::cuda
