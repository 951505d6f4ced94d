// Operations on single elements, and on rows: activations, merging, dropout.

#include "devices.h"
#include "test.h"

namespace slim::test {
namespace {

constexpr Activation kActivations[] = {Activation::kLinear,  Activation::kRelu,        Activation::kTanh,
                                       Activation::kSigmoid, Activation::kHardSigmoid, Activation::kSoftmax};

TEST("activations and their gradients equal the CPU's, in place too") {
  for (const Activation activation : kActivations) {
    for (const int64_t width : {1, 7, 32, 133}) {
      ExpectSameAsCpu([&](Bench& bench) {
        constexpr int64_t kRows = 11;
        const int64_t count = kRows * width;
        const float* x = bench.Put(RandomFloats(count, 1, 5.0f));
        const float* dy = bench.Put(RandomFloats(count, 2));
        float* y = bench.Space(count);
        float* dx = bench.Space(count);
        float* in_place = bench.Put(RandomFloats(count, 1, 5.0f));
        float* back_in_place = bench.Put(RandomFloats(count, 2));
        bench->ActivationForward(activation, kRows, width, x, y);
        bench->ActivationBackward(activation, kRows, width, y, dy, dx);
        bench->ActivationForward(activation, kRows, width, in_place, in_place);
        bench->ActivationBackward(activation, kRows, width, in_place, back_in_place, back_in_place);
        return Outputs{{"y", bench.Get(y, count)},
                       {"dx", bench.Get(dx, count)},
                       {"y in place", bench.Get(in_place, count)},
                       {"dx in place", bench.Get(back_in_place, count)}};
      });
    }
  }
}

TEST("a softmax of large logits does not overflow") {
  ExpectSameAsCpu([](Bench& bench) {
    const float* x = bench.Put(FloatArray{1000.0f, 999.0f, -1000.0f, 88.0f});
    float* y = bench.Space(4);
    bench->ActivationForward(Activation::kSoftmax, 1, 4, x, y);
    return Outputs{{"y", bench.Get(y, 4)}};
  });
}

TEST("merged arrays and their gradients equal the CPU's") {
  for (const Merge merge : {Merge::kSum, Merge::kMul, Merge::kAve}) {
    ExpectSameAsCpu([&](Bench& bench) {
      constexpr int64_t kCount = 1003;
      const float* a = bench.Put(RandomFloats(kCount, 1));
      const float* b = bench.Put(RandomFloats(kCount, 2));
      float* dy = bench.Put(RandomFloats(kCount, 3));
      float* y = bench.Space(kCount);
      float* da = bench.Space(kCount);
      float* alone = bench.Space(kCount);
      bench->MergeForward(merge, kCount, a, b, y);
      bench->MergeBackward(merge, kCount, a, b, dy, nullptr, alone);
      bench->MergeBackward(merge, kCount, a, b, dy, da, dy);
      return Outputs{{"y", bench.Get(y, kCount)},
                     {"da", bench.Get(da, kCount)},
                     {"db over dy", bench.Get(dy, kCount)},
                     {"db alone", bench.Get(alone, kCount)}};
    });
  }
}

TEST("dropout has the CPU's masks, whatever the count and where the array begins") {
  for (const int64_t count : {1, 4, 1001}) {
    for (const int64_t offset : {0, 1}) {
      ExpectSameAsCpu(
          [&](Bench& bench) {
            float* x = bench.Put(RandomFloats(count + offset, 4));
            float* y = bench.Space(count + offset);
            bench->SetStep({.seed = 0x123456789ABCull, .step = 7});
            bench->Dropout(0.3f, 17, count, x + offset, y + offset);
            bench->Dropout(0.6f, 18, count, x + offset, x + offset);
            return Outputs{{"y", bench.Get(y + offset, count)}, {"in place", bench.Get(x + offset, count)}};
          },
          0);
    }
  }
}

TEST("spatial dropout has the CPU's masks over all steps") {
  for (const int64_t steps : {1, 16, 37}) {
    ExpectSameAsCpu(
        [&](Bench& bench) {
          const int64_t count = 3 * steps * 13;
          const float* x = bench.Put(RandomFloats(count, 5));
          float* y = bench.Space(count);
          bench->SetStep({.seed = 42, .step = 3});
          bench->SpatialDropout(0.4f, 33, 3, steps, 13, x, y);
          return Outputs{{"y", bench.Get(y, count)}};
        },
        0);
  }
}

}  // namespace
}  // namespace slim::test
