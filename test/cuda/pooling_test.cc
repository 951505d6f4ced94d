#include "devices.h"
#include "test.h"

namespace slim::test {
namespace {

void ExpectPooling(const MaxPoolShape& shape, int64_t batch, const FloatArray& x) {
  ExpectSameAsCpu([&](Bench& bench) {
    const int64_t outputs = batch * shape.out_steps * shape.channels, inputs = batch * shape.steps * shape.channels;
    const float* on_device = bench.Put(x);
    const float* dy = bench.Put(RandomFloats(outputs, 2));
    float* y = bench.Space(outputs);
    float* inference = bench.Space(outputs);
    auto* winners = bench.Space<int32_t>(outputs);
    float* dx = bench.Space(inputs);
    bench->MaxPoolForward(shape, batch, on_device, y, winners);
    bench->MaxPoolForward(shape, batch, on_device, inference, nullptr);
    bench->MaxPoolBackward(shape, batch, winners, dy, dx);
    return Outputs{{"y", bench.Get(y, outputs)},
                   {"y of inference", bench.Get(inference, outputs)},
                   {"winners", AsFloats(bench.Get(winners, outputs))},
                   {"dx", bench.Get(dx, inputs)}};
  });
}

TEST("maxima and their gradients equal the CPU's: windows apart, overlapping, with gaps, padded, global") {
  const MaxPoolShape shapes[] = {
      {20, 7, 5, 5, 0, 4},  {21, 3, 3, 1, 0, 19}, {22, 5, 2, 5, 0, 5}, {17, 4, 4, 2, 1, 9},   {9, 2, 4, 3, 2, 3},
      {30, 6, 30, 1, 0, 1}, {1, 33, 1, 1, 0, 1},  {10, 3, 7, 2, 3, 5}, {31, 12, 5, 2, 2, 14},
  };
  for (const MaxPoolShape& shape : shapes) {
    ExpectPooling(shape, 3, RandomFloats(3 * shape.steps * shape.channels, 1));
  }
}

TEST("of equal values the first wins") {
  const MaxPoolShape shape{24, 5, 4, 3, 0, 7};
  FloatArray x = AsFloats(RandomInts(2 * shape.steps * shape.channels, 3, 4));
  ExpectPooling(shape, 2, x);
}

}  // namespace
}  // namespace slim::test
