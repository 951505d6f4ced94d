#pragma once

#include <napi.h>

#include "program/host_memory.h"

namespace slim::addon {

/// A Float32Array over the engine's memory, or over a copy where the host of this addon allows no such memory
/// (Electron).
Napi::Float32Array FloatArray(Napi::Env env, HostArray<float> values);

}  // namespace slim::addon
