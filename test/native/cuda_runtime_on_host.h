// What files of the CUDA device call of CUDA's runtime, where no GPU is: device memory is the host's.
#pragma once

#include <cuda_runtime_api.h>

namespace slim::test {

// While one lives, the device is lost by the error, and whatever asks for its memory is told so.
class LostDevice {
 public:
  explicit LostDevice(cudaError_t error);
  ~LostDevice();
  LostDevice(const LostDevice&) = delete;
  LostDevice& operator=(const LostDevice&) = delete;
};

}  // namespace slim::test
