// cuDNN's place on the emulation.
#pragma once

#include <cstdint>

namespace slim::test {

// While one lives, the machine has no cuDNN. Otherwise it has one whose LSTM is the CPU's.
class WithoutCudnn {
 public:
  WithoutCudnn();
  ~WithoutCudnn();
  WithoutCudnn(const WithoutCudnn&) = delete;
  WithoutCudnn& operator=(const WithoutCudnn&) = delete;
};

// While one lives, a batch of so many needs more of cuDNN's memory than any larger one.
class GreedyCudnn {
 public:
  explicit GreedyCudnn(int64_t batch);
  ~GreedyCudnn();
  GreedyCudnn(const GreedyCudnn&) = delete;
  GreedyCudnn& operator=(const GreedyCudnn&) = delete;
};

}  // namespace slim::test
