// slim_lstm_bench_operations_cuda [batch] [repetitions] [float32 | tf32 | bfloat16]

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>

#include "convolution_network.h"
#include "cuda/cuda_backend.h"

namespace {

// So many that a launch and the wait for the end are little beside them.
constexpr int kPasses = 20;

slim::Precision PrecisionOf(const std::string& name) {
  for (const auto precision : {slim::Precision::kFloat32, slim::Precision::kTf32, slim::Precision::kBfloat16}) {
    if (name == slim::NameOf(precision)) return precision;
  }
  throw std::invalid_argument("Expected float32, tf32 or bfloat16 for the precision but received " + name);
}

}  // namespace

int main(int count, char** arguments) {
  const auto number = [&](int i, int otherwise) { return count > i ? std::atoi(arguments[i]) : otherwise; };
  try {
    const auto backend = slim::cuda::MakeCudaBackend(0, PrecisionOf(count > 3 ? arguments[3] : "float32"));
    slim::TimeConvolutionNetwork(*backend, number(1, 128), number(2, 10), kPasses);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
