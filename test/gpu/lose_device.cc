// Whoever opens this library loses the GPU: a kernel of it writes to an address that nobody has, in the context that
// CUDA's runtime shares within the process. That is what a fault of any kernel does. It speaks to the driver itself, as
// it needs neither CUDA's headers nor its compiler then.

#include <dlfcn.h>

namespace {

using Status = int;
using Device = int;
using Handle = void*;

constexpr char kKernel[] = R"(
.version 6.3
.target sm_75
.address_size 64
.visible .entry lose_device() {
  .reg .b64 %address;
  .reg .b32 %value;
  mov.u64 %address, 64;
  mov.u32 %value, 1;
  st.global.u32 [%address], %value;
  ret;
}
)";

template <class Function>
Function* Find(void* driver, const char* name) {
  return reinterpret_cast<Function*>(dlsym(driver, name));
}

__attribute__((constructor)) void LoseDevice() {
  void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (driver == nullptr) return;
  const auto init = Find<Status(unsigned int)>(driver, "cuInit");
  const auto get_device = Find<Status(Device*, int)>(driver, "cuDeviceGet");
  const auto retain = Find<Status(Handle*, Device)>(driver, "cuDevicePrimaryCtxRetain");
  const auto push = Find<Status(Handle)>(driver, "cuCtxPushCurrent_v2");
  const auto pop = Find<Status(Handle*)>(driver, "cuCtxPopCurrent_v2");
  const auto load = Find<Status(Handle*, const void*)>(driver, "cuModuleLoadData");
  const auto get_function = Find<Status(Handle*, Handle, const char*)>(driver, "cuModuleGetFunction");
  const auto launch = Find<Status(Handle, unsigned int, unsigned int, unsigned int, unsigned int, unsigned int,
                                  unsigned int, unsigned int, Handle, void**, void**)>(driver, "cuLaunchKernel");
  const auto synchronize = Find<Status()>(driver, "cuCtxSynchronize");
  Device device = 0;
  Handle context = nullptr, module = nullptr, function = nullptr;
  if (init(0) != 0 || get_device(&device, 0) != 0 || retain(&context, device) != 0 || push(context) != 0) return;
  if (load(&module, kKernel) == 0 && get_function(&function, module, "lose_device") == 0 &&
      launch(function, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr) == 0) {
    synchronize();
  }
  pop(&context);
}

}  // namespace
