// The CUDA device of test/cuda, on the emulation.

#include "cuda/cuda_backend.h"
#include "devices.h"
#include "emulation/emulator.h"

namespace slim::test {

int CudaRuns() { return 3; }

std::unique_ptr<Backend> OpenCudaDevice(int run, Precision precision) {
  emulated::Restart({}, static_cast<uint64_t>(run));
  return cuda::MakeCudaBackend(0, precision);
}

}  // namespace slim::test
