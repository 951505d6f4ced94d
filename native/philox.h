#pragma once

#include <array>
#include <cstdint>

// SLIM_HOST_DEVICE marks the functions that the CPU, the CUDA kernels and the tests compile from one source.
#if defined(__CUDACC__)
#define SLIM_HOST_DEVICE __host__ __device__
#else
#define SLIM_HOST_DEVICE
#endif

namespace slim {

/// Philox4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011): four random words that
/// depend on a key and a counter alone, so that a mask can be made anew anywhere, in any order, on any device.
SLIM_HOST_DEVICE inline void Philox4x32(uint64_t key, const uint32_t counter[4], uint32_t words[4]) {
  constexpr uint32_t kMultiplier0 = 0xD2511F53u, kMultiplier1 = 0xCD9E8D57u;
  constexpr uint32_t kWeyl0 = 0x9E3779B9u, kWeyl1 = 0xBB67AE85u;
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = static_cast<uint64_t>(kMultiplier0) * c0;
    const uint64_t p1 = static_cast<uint64_t>(kMultiplier1) * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<uint32_t>(p1);
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<uint32_t>(p0);
    k0 += kWeyl0;
    k1 += kWeyl1;
  }
  words[0] = c0, words[1] = c1, words[2] = c2, words[3] = c3;
}

/// A family of random words: word `index` of stream `stream` at step `step` is the same on every device.
struct RandomStream {
  uint64_t seed;
  uint32_t step;
  uint32_t stream;

  /// Words 4*block to 4*block + 3.
  SLIM_HOST_DEVICE void Block(uint64_t block, uint32_t words[4]) const {
    const uint32_t counter[4] = {static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), step, stream};
    Philox4x32(seed, counter, words);
  }

  SLIM_HOST_DEVICE uint32_t Word(uint64_t index) const {
    uint32_t words[4];
    Block(index >> 2, words);
    return words[index & 3];
  }
};

/// Where a random stream is used; a layer's stream is `layer position * kStreamsPerLayer + use`.
enum class StreamUse : uint32_t {
  kDropout = 0,               // dropout and spatialDropout1d
  kInputDropout = 1,          // lstm: x
  kRecurrentDropout = 2,      // lstm: h
  kBackwardInputDropout = 3,  // the same of bidirectional's backward layer
  kBackwardRecurrentDropout = 4,
};
inline constexpr uint32_t kStreamsPerLayer = 16;
inline constexpr uint32_t kShuffleStream = 0xFFFFFFFFu;      // step = epoch
inline constexpr uint32_t kInitializerStream = 0x80000000u;  // + number of the parameter; step = 0

/// An element is dropped where its word is below this; `rate` in [0, 1).
SLIM_HOST_DEVICE inline uint32_t DropThreshold(float rate) {
  return static_cast<uint32_t>(static_cast<double>(rate) * 4294967296.0);
}

}  // namespace slim
