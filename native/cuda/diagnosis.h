#pragma once

#include <string>

#include "cuda/library.h"

/// Why a GPU cannot be used and what to do about it, in words. No CUDA is needed to find them: the tests give every
/// answer that a driver may give.
namespace slim::cuda {

/// What the driver and the system answered.
struct DriverAnswers {
  int status = 0;           // of cudaGetDeviceCount
  std::string status_text;  // the driver's own words for it
  int devices = 0;
  int driver_version = 0;  // as in Report
  int runtime_version = 0;
  std::string driver;  // the version of the kernel's module; empty where none is loaded
  bool visible_devices_set = false;
  std::string visible_devices;  // the environment's CUDA_VISIBLE_DEVICES
};

/// Empty where there are devices.
std::string WhyNoDevice(const DriverAnswers& answers);

/// Why a device cannot be used, by what it is; empty where it can. `architectures` is CMake's list, such as
/// "80-real;90a-real;120".
std::string WhyNotThisDevice(const DeviceReport& device, const std::string& architectures);

/// Such as "13.0" for 13000.
std::string VersionInWords(int version);

}  // namespace slim::cuda
