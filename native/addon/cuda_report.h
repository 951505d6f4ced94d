#pragma once

#include <napi.h>

namespace slim::addon {

/// What stands between this machine and a usable GPU: NativeCuda in src/native.ts.
Napi::Value CudaReport(const Napi::CallbackInfo& info);

/// The CUDA library that is to be unpacked, or null: NativePackedCuda in src/native.ts.
Napi::Value PackedCuda(const Napi::CallbackInfo& info);

}  // namespace slim::addon
