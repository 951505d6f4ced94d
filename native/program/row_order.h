#pragma once

#include <cstdint>

namespace slim {

/// The rows [first, first + rows), shuffled for an epoch.
struct Shuffle {
  uint64_t seed;
  uint32_t epoch;
  int64_t first;
  int64_t rows;

  bool operator==(const Shuffle&) const = default;
};

/// order[i] = first + i for 0 <= i < rows, shuffled (R. Durstenfeld, "Algorithm 235: random permutation", 1964) by the
/// words of the shuffle stream at step `epoch`: the order depends on seed, epoch and number of rows alone.
void WriteShuffled(const Shuffle& shuffle, int32_t* order);

}  // namespace slim
