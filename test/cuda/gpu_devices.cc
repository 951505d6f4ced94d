// The CUDA device of test/cuda, on a real GPU: the first one.

#include <cstdlib>

#include "cuda/cuda_backend.h"
#include "devices.h"

namespace slim::test {

// A race seldom shows, and a run takes milliseconds; under a sanitizer it does not, and SLIM_LSTM_TEST_RUNS is 1.
int CudaRuns() {
  const char* runs = std::getenv("SLIM_LSTM_TEST_RUNS");
  return runs == nullptr ? 5 : std::atoi(runs);
}

std::unique_ptr<Backend> OpenCudaDevice(int, Precision precision) { return cuda::MakeCudaBackend(0, precision); }

}  // namespace slim::test
