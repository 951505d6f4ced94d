#pragma once

#include <napi.h>

#include "addon/device.h"
#include "program/spec.h"

/// Plain JavaScript objects (NativeModelSpec, NativeTrainingSpec and NativeDevice of src/native.ts) as structs. Types
/// and names are checked here, sizes by Program::Compile. Throws Error (kInvalidArgument).
namespace slim::addon {

ModelSpec ReadModelSpec(const Napi::Value& value);
TrainingSpec ReadTrainingSpec(const Napi::Value& value);
/// The device is not looked for yet.
DeviceRequest ReadDeviceRequest(const Napi::Object& from);

}  // namespace slim::addon
