#include "cpu/dropout.h"

#include "arrays.h"
#include "philox.h"
#include "test.h"
#include "thread_pool.h"

namespace slim::test {
namespace {

float Kept(const RandomStream& stream, float rate, uint64_t index, float x) {
  return stream.Word(index) < DropThreshold(rate) ? 0.0f : x * static_cast<float>(1.0 / (1.0 - double{rate}));
}

StepValues StepOf(uint64_t seed, uint32_t step) {
  StepValues values;
  values.seed = seed;
  values.step = step;
  return values;
}

TEST("the words of Philox are those its authors published") {
  // Random123 1.14, tests/kat_vectors, philox 4x32 with 10 rounds.
  struct Known {
    uint64_t key;
    uint32_t counter[4];
    uint32_t words[4];
  };
  const Known known[] = {
      {0, {0, 0, 0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {0xffffffffffffffff,
       {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
       {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {0x299f31d0a4093822,
       {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (const Known& k : known) {
    uint32_t words[4];
    Philox4x32(k.key, k.counter, words);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(words[i], k.words[i]);
  }
}

TEST("dropout drops the elements whose word is below the rate, at any length and on any number of threads") {
  for (const int64_t count : {1, 3, 4, 31, 64, 65, 1000, 40003}) {
    const FloatArray x = RandomFloats(count, 5);
    for (const float rate : {0.0f, 0.2f, 0.5f, 0.99f}) {
      const RandomStream stream{0x123456789abcdef0u, 41, 35};
      FloatArray expected;
      for (int64_t i = 0; i < count; ++i) {
        expected.push_back(Kept(stream, rate, static_cast<uint64_t>(i), x[static_cast<size_t>(i)]));
      }
      for (const int threads : {1, 3}) {
        ThreadPool pool(threads);
        FloatArray y = Unwritten(count);
        Dropout(pool, StepOf(stream.seed, stream.step), rate, stream.stream, count, x.data(), y.data());
        EXPECT(y == expected);
        FloatArray in_place = x;
        Dropout(pool, StepOf(stream.seed, stream.step), rate, stream.stream, count, in_place.data(), in_place.data());
        EXPECT(in_place == expected);
      }
    }
  }
}

TEST("the share of what is dropped is the rate, and another step drops others") {
  const int64_t count = 200000;
  const FloatArray x(count, 1.0f);
  ThreadPool pool(2);
  FloatArray first = Unwritten(count), second = Unwritten(count);
  Dropout(pool, StepOf(9, 0), 0.3f, 2, count, x.data(), first.data());
  Dropout(pool, StepOf(9, 1), 0.3f, 2, count, x.data(), second.data());
  double dropped = 0, both = 0;
  for (size_t i = 0; i < first.size(); ++i) {
    dropped += first[i] == 0.0f;
    both += first[i] == 0.0f && second[i] == 0.0f;
  }
  // Five standard deviations of the binomial distribution.
  EXPECT_NEAR(dropped / count, 0.3, 5 * std::sqrt(0.3 * 0.7 / count));
  EXPECT_NEAR(both / count, 0.09, 5 * std::sqrt(0.09 * 0.91 / count));
}

TEST("spatial dropout drops whole channels") {
  for (const int64_t channels : {1, 7, 128, 300}) {
    const int64_t batch = 3, steps = 5;
    const FloatArray x = RandomFloats(batch * steps * channels, 6);
    const RandomStream stream{77, 3, 16};
    FloatArray expected;
    for (int64_t i = 0; i < batch * steps * channels; ++i) {
      const int64_t sample = i / (steps * channels), channel = i % channels;
      expected.push_back(
          Kept(stream, 0.4f, static_cast<uint64_t>(sample * channels + channel), x[static_cast<size_t>(i)]));
    }
    ThreadPool pool(2);
    FloatArray y = x;
    SpatialDropout(pool, StepOf(stream.seed, stream.step), 0.4f, stream.stream, batch, steps, channels, y.data(),
                   y.data());
    EXPECT_NEAR(RelativeError(y, expected), 0, 1e-7);
  }
}

}  // namespace
}  // namespace slim::test
