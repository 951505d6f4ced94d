#pragma once

#include <napi.h>

#include "program/spec.h"

/// Plain JavaScript objects (NativeModelSpec and NativeTrainingSpec of src/native.ts) as structs. Types and names are
/// checked here, sizes by Program::Compile. Throws Error (kInvalidArgument).
namespace slim::addon {

ModelSpec ReadModelSpec(const Napi::Value& value);
TrainingSpec ReadTrainingSpec(const Napi::Value& value);

}  // namespace slim::addon
