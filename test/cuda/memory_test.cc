#include "devices.h"
#include "test.h"

namespace slim::test {
namespace {

std::vector<uint8_t> Bytes(int64_t count, uint32_t seed) {
  const IntArray values = RandomInts(count, 256, seed);
  return {values.begin(), values.end()};
}

FloatArray AsFloats(const std::vector<uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

TEST("rows of any length are gathered from where the step says") {
  for (const int64_t row_bytes : {1, 3, 4, 12, 16, 44, 400}) {
    ExpectSameAsCpu([&](Bench& bench) {
      const uint8_t* source = bench.Put(Bytes(row_bytes * 50, 1));
      const int32_t* order = bench.Put(RandomInts(40, 50, 2));
      auto* to = bench.Space<uint8_t>(row_bytes * 21);
      bench->SetStep({.first_row = 13});
      bench->GatherRows(source, static_cast<size_t>(row_bytes), order, 21, to);
      return Outputs{{"rows", AsFloats(bench.Get(to, row_bytes * 21))}};
    });
  }
}

TEST("rows that do not begin at multiples of their words are gathered") {
  ExpectSameAsCpu([](Bench& bench) {
    const uint8_t* source = bench.Put(Bytes(16 * 20 + 8, 3));
    const int32_t* order = bench.Put(RandomInts(9, 20, 4));
    auto* to = bench.Space<uint8_t>(16 * 9 + 8);
    bench->SetStep({});
    bench->GatherRows(source + 4, 16, order, 9, to + 8);
    return Outputs{{"rows", AsFloats(bench.Get(to + 8, 16 * 9))}};
  });
}

TEST("memory is cleared and copied, and tokens make a mask") {
  ExpectSameAsCpu([](Bench& bench) {
    float* a = bench.Put(RandomFloats(1000, 5));
    float* b = bench.Space(1000);
    bench->Copy(b, a, 1000 * sizeof(float));
    bench->Zero(a + 10, 900 * sizeof(float));
    const int32_t* tokens = bench.Put(RandomInts(777, 3, 6));
    auto* mask = bench.Space<uint8_t>(777);
    bench->TokenMask(tokens, 777, mask);
    return Outputs{
        {"cleared", bench.Get(a, 1000)}, {"copied", bench.Get(b, 1000)}, {"mask", AsFloats(bench.Get(mask, 777))}};
  });
}

TEST("host memory may be reused as soon as an upload returns") {
  ExpectSameAsCpu([](Bench& bench) {
    float* to = bench.Space(100);
    FloatArray host = RandomFloats(100, 7);
    bench->Upload(to, host.data(), 100 * sizeof(float));
    host.assign(100, 0.0f);
    return Outputs{{"uploaded", bench.Get(to, 100)}};
  });
}

TEST("a recorded step reads the values of the step in which it is replayed") {
  ExpectSameAsCpu([](Bench& bench) {
    const float* source = bench.Put(RandomFloats(60 * 4, 8));
    const int32_t* order = bench.Put(RandomInts(60, 60, 9));
    float* rows = bench.Space(8 * 4);
    float* dropped = bench.Space(8 * 4);
    Outputs outputs;
    for (const uint32_t step : {0u, 1u, 2u, 3u}) {
      bench->SetStep({.seed = 5, .step = step, .first_row = 10 * step});
      bench->Run(77, [&] {
        bench->GatherRows(source, 16, order, 8, rows);
        bench->Dropout(0.5f, 3, 8 * 4, rows, dropped);
      });
      outputs.push_back({"rows", bench.Get(rows, 8 * 4)});
      outputs.push_back({"dropped", bench.Get(dropped, 8 * 4)});
    }
    bench->ForgetRecorded();
    bench->Run(77, [&] { bench->Zero(rows, 8 * 4 * sizeof(float)); });
    outputs.push_back({"after forgetting", bench.Get(rows, 8 * 4)});
    return outputs;
  });
}

}  // namespace
}  // namespace slim::test
