#include "cuda/conv1d_taps.h"
#include "cuda/division.h"
#include "cuda/elementwise.h"

namespace slim::cuda {
namespace {

// to[j, i, :] = from[i, j, :]
struct SwapAxes {
  const float* from;  // [rows, columns, width]
  float* to;          // [columns, rows, width]
  int64_t rows, columns, width;

  __device__ void operator()(int64_t at) const {
    int64_t line, k, i, j;
    DivideBy(at, width, &line, &k);
    DivideBy(line, rows, &j, &i);
    to[at] = from[(i * columns + j) * width + k];
  }
};

}  // namespace

void PutTapsSideBySide(const CudaContext& context, const Conv1dShape& shape, const float* kernel, float* side_by_side) {
  ForEachElement(context, shape.taps * shape.channels * shape.filters,
                 SwapAxes{kernel, side_by_side, shape.taps, shape.channels, shape.filters});
}

void PutTapsApart(const CudaContext& context, const Conv1dShape& shape, const float* side_by_side, float* kernel) {
  ForEachElement(context, shape.taps * shape.channels * shape.filters,
                 SwapAxes{side_by_side, kernel, shape.channels, shape.taps, shape.filters});
}

}  // namespace slim::cuda
