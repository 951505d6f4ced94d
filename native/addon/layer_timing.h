#pragma once

#include <napi.h>

namespace slim::addon {

/// timeLayers(specs, options, onProgress): starts the timing on a thread of its own. Returns { result, dispose }: a
/// promise, and a function that ends the run within one pass and frees what it holds.
Napi::Value TimeLayers(const Napi::CallbackInfo& info);

}  // namespace slim::addon
