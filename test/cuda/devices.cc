#include "devices.h"

#include <cstring>

#include "cpu/cpu_backend.h"
#include "cuda/device_session.h"
#include "test.h"

namespace slim::test {
namespace {

bool SameBits(const FloatArray& a, const FloatArray& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

}  // namespace

bool HasPrecision(Precision precision) {
  OpenCudaDevice(0);
  return cuda::DeviceSession(0, precision).context().precision == precision;
}

Bench::~Bench() {
  for (void* memory : memory_) backend_->Free(memory);
}

void* Bench::New(size_t bytes) {
  memory_.push_back(backend_->Allocate(bytes));
  return memory_.back();
}

void ExpectSameAsCpu(const std::function<Outputs(Bench&)>& run, double tolerance, Precision precision) {
  Outputs expected;
  {
    Bench cpu(MakeCpuBackend(1));
    expected = run(cpu);
  }
  Outputs first;
  for (int i = 0; i < CudaRuns(); ++i) {
    Bench cuda(OpenCudaDevice(i, precision));
    const Outputs outputs = run(cuda);
    REQUIRE(outputs.size() == expected.size());
    if (i == 0) first = outputs;
    for (size_t k = 0; k < outputs.size(); ++k) {
      const double error =
          RelativeError(outputs[k].values, std::vector<double>(expected[k].values.begin(), expected[k].values.end()));
      if (!(error <= tolerance)) Fail(__FILE__, __LINE__, std::string(outputs[k].name) + " is off by " + Show(error));
      if (!SameBits(outputs[k].values, first[k].values)) {
        Fail(__FILE__, __LINE__, std::string(outputs[k].name) + " has other bits in run " + Show(i));
      }
    }
  }
}

}  // namespace slim::test
