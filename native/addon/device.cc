#include "addon/device.h"

#include "cpu/cpu_backend.h"
#include "errors.h"

namespace slim::addon {

std::unique_ptr<Backend> OpenDevice(const std::string& name, int threads) {
  if (name == "cpu") return MakeCpuBackend(threads);
  throw Error(ErrorCode::kDevice, "Expected the device cpu, the only one of this build, but received " + name);
}

}  // namespace slim::addon
