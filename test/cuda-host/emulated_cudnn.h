// cuDNN's place on the emulation.
#pragma once

namespace slim::test {

// While one lives, the machine has no cuDNN. Otherwise it has one whose LSTM is the CPU's.
class WithoutCudnn {
 public:
  WithoutCudnn();
  ~WithoutCudnn();
  WithoutCudnn(const WithoutCudnn&) = delete;
  WithoutCudnn& operator=(const WithoutCudnn&) = delete;
};

}  // namespace slim::test
