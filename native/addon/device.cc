#include "addon/device.h"

#include <algorithm>
#include <cctype>

#include "addon/cuda_library.h"
#include "cpu/cpu_backend.h"
#include "errors.h"

namespace slim::addon {
namespace {

constexpr char kCuda[] = "cuda";
constexpr size_t kMostDigits = 4;

/// The index in "cuda:7", -1 in "cuda"; false for any other name.
bool ReadCudaName(const std::string& name, int& index) {
  const std::string prefix = std::string(kCuda) + ":";
  index = -1;
  if (name == kCuda) return true;
  if (name.compare(0, prefix.size(), prefix) != 0) return false;
  const std::string digits = name.substr(prefix.size());
  const bool number = std::all_of(digits.begin(), digits.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
  if (digits.empty() || digits.size() > kMostDigits || !number) return false;
  index = std::stoi(digits);
  return true;
}

}  // namespace

std::unique_ptr<Backend> OpenDevice(const DeviceRequest& request) {
  if (request.name == "cpu") return MakeCpuBackend(request.threads);
  int index = 0;
  if (ReadCudaName(request.name, index)) return OpenCudaDevice(index, request.precision);
  throw Error(ErrorCode::kDevice, "Expected the device cpu, cuda or cuda:<index> but received " + request.name);
}

}  // namespace slim::addon
