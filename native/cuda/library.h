#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backend.h"
#include "errors.h"

/// The face of libslim_lstm_cuda.so, the library that holds the CUDA device. The addon opens it when a GPU is asked for
/// and finds the three functions below by their names; nothing else of it is visible. Both sides are built from this
/// file, so that C++ types may cross; the version is asked first, as everything else depends on it. No function throws.
namespace slim::cuda {

/// Raised with every change of this file, of backend.h or of errors.h.
inline constexpr int kApiVersion = 4;

/// A GPU as the driver tells of it.
struct DeviceReport {
  int index = 0;
  std::string name;
  int major = 0;  // compute capability
  int minor = 0;
  int multiprocessors = 0;
  uint64_t memory = 0;  // bytes
  std::vector<Precision> precisions;
  std::string reason;  // why it cannot be used and what to do; empty where it can
};

/// A library of NVIDIA's that is opened at run time, as the device runs without it too.
struct VendorLibraryReport {
  std::string name;     // such as "cuBLASLt"
  std::string version;  // such as "13.1.1"; empty where it was not found
  std::string path;     // of the file
  std::string reason;   // why it is not used and what to do; empty where it is
};

/// What stands between this machine and a usable GPU. CUDA versions are 1000 * major + 10 * minor, 0 where unknown.
struct Report {
  std::string driver;         // the driver's own version, such as "580.65.06"; empty where unknown
  int driver_version = 0;     // the newest CUDA version the driver serves
  int runtime_version = 0;    // the one this library was built with
  std::string architectures;  // it holds code for, such as "75 80 90a"
  std::string reason;         // why no device can be used and what to do; empty where one can
  std::vector<DeviceReport> devices;
  std::vector<VendorLibraryReport> libraries;
};

struct Failure {
  ErrorCode code = ErrorCode::kDevice;
  std::string message;
};

extern "C" {

/// kApiVersion of the library.
using ApiVersionFunction = int();

/// Writes the report; returns the number of devices that can be used.
using ScoreFunction = int(Report* report);

/// The device of that index, computing in that precision, for the caller to delete; null where it cannot be had, and
/// then `failure` says why.
using InitFunction = Backend*(int device, Precision precision, Failure* failure);
}

inline constexpr char kApiVersionName[] = "slim_lstm_cuda_api_version";
inline constexpr char kScoreName[] = "slim_lstm_cuda_score";
inline constexpr char kInitName[] = "slim_lstm_cuda_init";

}  // namespace slim::cuda
