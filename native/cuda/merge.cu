#include <stdexcept>

#include "cuda/elementwise.h"
#include "cuda/merge.h"

namespace slim::cuda {
namespace {

struct Add {
  float factor;
  const float* a;
  const float* b;
  float* y;

  __device__ void operator()(int64_t i) const { y[i] = (a[i] + b[i]) * factor; }
};

struct Multiply {
  const float* a;
  const float* b;
  float* y;

  __device__ void operator()(int64_t i) const { y[i] = a[i] * b[i]; }
};

struct Spread {
  float factor;
  const float* dy;
  float* da;
  float* db;

  __device__ void operator()(int64_t i) const {
    const float gradient = dy[i] * factor;
    if (da != nullptr) da[i] = gradient;
    if (db != nullptr) db[i] = gradient;
  }
};

struct MultiplyGradient {
  const float* a;
  const float* b;
  const float* dy;
  float* da;
  float* db;

  __device__ void operator()(int64_t i) const {
    const float gradient = dy[i], left = a[i], right = b[i];
    if (da != nullptr) da[i] = gradient * right;
    if (db != nullptr) db[i] = gradient * left;
  }
};

float FactorOf(Merge merge) { return merge == Merge::kAve ? 0.5f : 1.0f; }

void RefuseConcat(Merge merge) {
  if (merge == Merge::kConcat) throw std::logic_error("Concatenation is done by strides, not by a merge operation");
}

}  // namespace

void MergeForward(const CudaContext& context, Merge merge, int64_t count, const float* a, const float* b, float* y) {
  RefuseConcat(merge);
  if (merge == Merge::kMul) {
    ForEachElement(context, count, Multiply{a, b, y});
  } else {
    ForEachElement(context, count, Add{FactorOf(merge), a, b, y});
  }
}

void MergeBackward(const CudaContext& context, Merge merge, int64_t count, const float* a, const float* b,
                   const float* dy, float* da, float* db) {
  RefuseConcat(merge);
  if (merge == Merge::kMul) {
    ForEachElement(context, count, MultiplyGradient{a, b, dy, da, db});
  } else {
    ForEachElement(context, count, Spread{FactorOf(merge), dy, da, db});
  }
}

}  // namespace slim::cuda
