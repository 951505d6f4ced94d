#include "cuda/division.h"
#include "cuda/elementwise.h"
#include "cuda/pooling.h"
#include "cuda/vector_access.h"

namespace slim::cuda {
namespace {

// An element of y: neighbours are channels.
struct WindowMaximum {
  MaxPoolShape shape;
  const float* x;
  float* y;
  int32_t* winners;

  __device__ void operator()(int64_t i) const {
    int64_t row, channel, sample, t;
    DivideBy(i, shape.channels, &row, &channel);
    DivideBy(row, shape.out_steps, &sample, &t);
    const int64_t first = t * shape.stride - shape.pad_left;
    const int64_t begin = max(first, int64_t{0});
    const int64_t end = min(first + shape.pool, shape.steps);
    const float* at = x + (sample * shape.steps + begin) * shape.channels + channel;
    float best = *at;
    int64_t winner = begin;
#pragma unroll 4
    for (int64_t step = begin + 1; step < end; ++step) {
      at += shape.channels;
      const float candidate = *at;
      if (candidate > best || candidate != candidate) best = candidate, winner = step;
    }
    y[i] = best;
    if (winners != nullptr) winners[i] = static_cast<int32_t>(winner);
  }
};

// kVector neighbours of a row of dx: the gradients of all windows that each won. kVector is 4 where the channels and
// all addresses are multiples of 4 elements.
template <int kVector>
struct SumOfWon {
  MaxPoolShape shape;
  const int32_t* winners;
  const float* dy;
  float* dx;

  __device__ void operator()(int64_t i) const {
    int64_t row, part, sample, t, first = 0, last, rest;
    DivideBy(i, shape.channels / kVector, &row, &part);
    DivideBy(row, shape.steps, &sample, &t);
    // Windows whose first row is at most t, and whose last is at least t.
    const int64_t reach = t + shape.pad_left;
    DivideBy(reach, shape.stride, &last, &rest);
    last = min(last, shape.out_steps - 1);
    if (reach >= shape.pool) {
      DivideBy(reach - shape.pool, shape.stride, &first, &rest);
      ++first;
    }
    float sum[kVector] = {};
    for (int64_t window = first; window <= last; ++window) {
      const int64_t at = (sample * shape.out_steps + window) * shape.channels + part * kVector;
      int32_t winner[kVector];
      float gradient[kVector];
      LoadVector<kVector>(winners + at, winner);
      LoadVector<kVector>(dy + at, gradient);
#pragma unroll
      for (int k = 0; k < kVector; ++k) sum[k] += winner[k] == t ? gradient[k] : 0.0f;
    }
    StoreVector<kVector>(sum, dx + i * kVector);
  }
};

template <int kVector>
void SumWon(const CudaContext& context, const MaxPoolShape& shape, int64_t batch, const int32_t* winners,
            const float* dy, float* dx) {
  ForEachElement(context, batch * shape.steps * (shape.channels / kVector), SumOfWon<kVector>{shape, winners, dy, dx});
}

}  // namespace

void MaxPoolForward(const CudaContext& context, const MaxPoolShape& shape, int64_t batch, const float* x, float* y,
                    int32_t* winners) {
  ForEachElement(context, batch * shape.out_steps * shape.channels, WindowMaximum{shape, x, y, winners});
}

void MaxPoolBackward(const CudaContext& context, const MaxPoolShape& shape, int64_t batch, const int32_t* winners,
                     const float* dy, float* dx) {
  const bool vectors =
      ReadsInFours(winners, shape.channels) && ReadsInFours(dy, shape.channels) && ReadsInFours(dx, shape.channels);
  (vectors ? &SumWon<4> : &SumWon<1>)(context, shape, batch, winners, dy, dx);
}

}  // namespace slim::cuda
