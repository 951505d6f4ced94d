#pragma once

#include <memory>
#include <string>

#include "backend.h"

namespace slim::addon {

/// The device of that name: "cpu", "cuda" (the first GPU that can be used) or "cuda:<index>". Throws Error (kDevice)
/// where it cannot be used, saying why and what to do. `threads` are the CPU's.
std::unique_ptr<Backend> OpenDevice(const std::string& name, int threads);

}  // namespace slim::addon
