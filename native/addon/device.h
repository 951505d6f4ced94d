#pragma once

#include <memory>
#include <string>

#include "backend.h"

namespace slim::addon {

/// The device of that name, "cpu". Throws Error (kDevice) where it cannot be used, saying why.
std::unique_ptr<Backend> OpenDevice(const std::string& name, int threads);

}  // namespace slim::addon
