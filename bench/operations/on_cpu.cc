// slim_lstm_bench_operations [threads] [batch] [repetitions]

#include <cstdlib>

#include "convolution_network.h"
#include "cpu/cpu_backend.h"

int main(int count, char** arguments) {
  const auto number = [&](int i, int otherwise) { return count > i ? std::atoi(arguments[i]) : otherwise; };
  slim::TimeConvolutionNetwork(*slim::MakeCpuBackend(number(1, 0)), number(2, 128), number(3, 10), 1);
  return 0;
}
