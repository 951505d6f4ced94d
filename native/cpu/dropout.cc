#include "cpu/dropout.h"

#include <algorithm>

#include "cpu/parallel_range.h"
#include "philox.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/dropout.cc"
#include "cpu/dispatch.h"
#include "hwy/foreach_target.h"
// Compiled once a target, so after foreach_target.h:
#include "cpu/philox-inl.h"
#include "cpu/simd-inl.h"
#include "cpu/spans-inl.h"

#ifndef SLIM_DROPOUT_TABLE
#define SLIM_DROPOUT_TABLE
namespace slim {

// Elements are dropped where their word is below the threshold; the others are multiplied by the scale.
struct DropRule {
  uint32_t threshold;
  float scale;
};

struct DropoutTable {
  // Elements [begin, end) of the stream; begin is a multiple of 4. x and y begin at element `begin`.
  void (*drop)(const RandomStream& stream, DropRule rule, uint64_t begin, uint64_t end, const float* x, float* y);
  void (*factors)(const RandomStream& stream, DropRule rule, uint64_t first, size_t count, float* factors);
  // Rows of `channels`, each multiplied by the factors.
  void (*multiply_rows)(int64_t rows, size_t channels, size_t stride, const float* factors, const float* x, float* y);
};
}  // namespace slim
#endif

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {
namespace {

using WordTag = hn::RebindToUnsigned<FloatTag>;

// Two groups of blocks at a time: the rounds of one hide the latency of the other's.
inline constexpr size_t kGroupWords = 2 * kPhiloxWords;

HWY_INLINE Floats DropVector(const uint32_t* words, DropRule rule, Floats x) {
  const WordTag d;
  const auto dropped = hn::Lt(hn::Load(d, words), hn::Set(d, rule.threshold));
  return hn::IfThenZeroElse(hn::RebindMask(kFloats, dropped), hn::Mul(x, hn::Set(kFloats, rule.scale)));
}

void Drop(const RandomStream& stream, DropRule rule, uint64_t begin, uint64_t end, const float* x, float* y) {
  alignas(64) uint32_t words[kGroupWords];
  for (uint64_t group = begin; group < end; group += kGroupWords) {
    PhiloxWords(stream, group, words);
    PhiloxWords(stream, group + kPhiloxWords, words + kPhiloxWords);
    const float* from = x + (group - begin);
    float* to = y + (group - begin);
    if (group + kGroupWords <= end) {
      for (size_t i = 0; i < kGroupWords; i += kLanes) {
        hn::StoreU(DropVector(words + i, rule, hn::LoadU(kFloats, from + i)), kFloats, to + i);
      }
    } else {
      ForEachSpan(end - group, [&](size_t i, auto span) HWY_ATTR {
        Store(DropVector(words + i, rule, Load(from + i, span)), to + i, span);
      });
    }
  }
}

void Factors(const RandomStream& stream, DropRule rule, uint64_t first, size_t count, float* factors) {
  uint64_t word = first / 4 * 4;
  size_t done = 0;
  while (done < count) {
    uint32_t words[kPhiloxWords];
    PhiloxWords(stream, word, words);
    for (uint64_t i = first + done - word; i < kPhiloxWords && done < count; ++i) {
      factors[done++] = words[i] < rule.threshold ? 0.0f : rule.scale;
    }
    word += kPhiloxWords;
  }
}

void MultiplyRows(int64_t rows, size_t channels, size_t stride, const float* factors, const float* x, float* y) {
  for (int64_t row = 0; row < rows; ++row) {
    ForEachSpan(channels, [&](size_t i, auto span)
                              HWY_ATTR { Store(hn::Mul(Load(x + i, span), Load(factors + i, span)), y + i, span); });
    x += stride;
    y += stride;
  }
}

}  // namespace

extern const DropoutTable kDropoutTable;
const DropoutTable kDropoutTable = {Drop, Factors, MultiplyRows};

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slim {

SLIM_CHOOSE_TABLE(DropoutTable, kDropoutTable)

namespace {

DropRule RuleOf(float rate) {
  return {DropThreshold(rate), static_cast<float>(1.0 / (1.0 - static_cast<double>(rate)))};
}

constexpr size_t kChannelsPerTask = 256;

}  // namespace

void Dropout(ThreadPool& pool, const StepValues& values, float rate, uint32_t stream, int64_t count, const float* x,
             float* y) {
  const DropoutTable& table = ChosenDropoutTable();
  const RandomStream random{values.seed, values.step, stream};
  const DropRule rule = RuleOf(rate);
  ParallelRange(pool, static_cast<size_t>(count), kElementsPerTask,
                [&](size_t begin, size_t end) { table.drop(random, rule, begin, end, x + begin, y + begin); });
}

void SpatialDropout(ThreadPool& pool, const StepValues& values, float rate, uint32_t stream, int64_t batch,
                    int64_t steps, int64_t channels, const float* x, float* y) {
  const DropoutTable& table = ChosenDropoutTable();
  const RandomStream random{values.seed, values.step, stream};
  const DropRule rule = RuleOf(rate);
  const size_t width = static_cast<size_t>(channels);
  const size_t pieces = (width + kChannelsPerTask - 1) / kChannelsPerTask;
  pool.ParallelFor(static_cast<size_t>(batch) * pieces, [&](size_t task, int) {
    const size_t sample = task / pieces;
    const size_t first = task % pieces * kChannelsPerTask;
    const size_t count = std::min(kChannelsPerTask, width - first);
    float factors[kChannelsPerTask];
    table.factors(random, rule, sample * width + first, count, factors);
    const size_t at = sample * static_cast<size_t>(steps) * width + first;
    table.multiply_rows(steps, count, width, factors, x + at, y + at);
  });
}

void DropoutFactors(const RandomStream& stream, float rate, uint64_t first, size_t count, float* factors) {
  ChosenDropoutTable().factors(stream, RuleOf(rate), first, count, factors);
}

}  // namespace slim
#endif  // HWY_ONCE
