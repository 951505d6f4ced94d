#include "program/row_order.h"

#include <numeric>
#include <utility>

#include "philox.h"

namespace slim {
namespace {

/// A number in [0, bound) from 64 random bits; no bound below 2^31 is off by more than 2^-33 of an even chance.
int64_t Scaled(uint32_t high, uint32_t low, int64_t bound) {
  const uint64_t b = static_cast<uint64_t>(bound);
  return static_cast<int64_t>((high * b + ((low * b) >> 32)) >> 32);
}

}  // namespace

void WriteShuffled(const Shuffle& shuffle, int32_t* order) {
  const int64_t rows = shuffle.rows;
  std::iota(order, order + rows, static_cast<int32_t>(shuffle.first));
  const RandomStream stream{shuffle.seed, shuffle.epoch, kShuffleStream};
  uint32_t words[4] = {};
  // A block serves two exchanges: place i takes words 2i and 2i + 1.
  for (int64_t i = rows - 1; i > 0; --i) {
    if ((i & 1) == 1 || i == rows - 1) stream.Block(static_cast<uint64_t>(i) >> 1, words);
    const int half = static_cast<int>(i & 1) * 2;
    std::swap(order[i], order[Scaled(words[half], words[half + 1], i + 1)]);
  }
}

}  // namespace slim
