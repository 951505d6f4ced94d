#pragma once

#include <memory>
#include <string>

#include "backend.h"

namespace slim::addon {

/// The device that is asked for, and how it is to work.
struct DeviceRequest {
  std::string name;  // "cpu", "cuda" (the first GPU that can be used) or "cuda:<index>"
  int threads = 0;   // of the CPU; 0: one for each core
  Precision precision = Precision::kFloat32;
};

/// Throws Error (kDevice) where the device cannot be used, saying why and what to do. The CPU computes in float32,
/// which is more than any precision asks for.
std::unique_ptr<Backend> OpenDevice(const DeviceRequest& request);

}  // namespace slim::addon
