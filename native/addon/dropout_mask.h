#pragma once

#include <napi.h>

namespace slim::addon {

/// dropoutMask(options): the first elements of a mask, 0 or 1 / (1 - rate), for tests.
Napi::Value DropoutMask(const Napi::CallbackInfo& info);

}  // namespace slim::addon
