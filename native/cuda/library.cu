// The three functions that libslim_lstm_cuda.so shows: library.h.

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>

#include "cuda/cublaslt.h"
#include "cuda/cuda_backend.h"
#include "cuda/cudnn.h"
#include "cuda/diagnosis.h"
#include "cuda/library.h"
#include "cuda/precisions.h"

#define SLIM_EXPORT extern "C" __attribute__((visibility("default")))

namespace slim::cuda {
namespace {

// CMake's list of what this library was compiled for, with '+' for ';'.
constexpr char kArchitectures[] = SLIM_LSTM_CUDA_ARCHITECTURES;

std::string Architectures() {
  std::string list = kArchitectures;
  std::replace(list.begin(), list.end(), '+', ';');
  return list;
}

/// The version of the kernel's module; it is there in containers too, and before any library of the driver is opened.
std::string KernelModuleVersion() {
  std::FILE* file = std::fopen("/sys/module/nvidia/version", "r");
  if (file == nullptr) return "";
  char version[64] = "";
  const bool told = std::fscanf(file, "%63s", version) == 1;
  std::fclose(file);
  return told ? version : "";
}

DriverAnswers AskDriver() {
  DriverAnswers answers;
  const cudaError_t status = cudaGetDeviceCount(&answers.devices);
  answers.status = status;
  answers.status_text = cudaGetErrorString(status);
  if (status != cudaSuccess) answers.devices = 0;
  cudaDriverGetVersion(&answers.driver_version);
  cudaRuntimeGetVersion(&answers.runtime_version);
  answers.driver = KernelModuleVersion();
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  answers.visible_devices_set = visible != nullptr;
  if (visible != nullptr) answers.visible_devices = visible;
  // What failed here is told in the answers; no later call shall find it.
  static_cast<void>(cudaGetLastError());
  return answers;
}

DeviceReport Describe(int index, const std::string& architectures) {
  DeviceReport device;
  device.index = index;
  cudaDeviceProp properties{};
  const cudaError_t status = cudaGetDeviceProperties(&properties, index);
  if (status != cudaSuccess) {
    static_cast<void>(cudaGetLastError());
    device.reason = std::string("the driver tells nothing of it: ") + cudaGetErrorString(status);
    return device;
  }
  device.name = properties.name;
  device.major = properties.major;
  device.minor = properties.minor;
  device.multiprocessors = properties.multiProcessorCount;
  device.memory = properties.totalGlobalMem;
  device.precisions = PrecisionsOf(10 * properties.major + properties.minor);
  device.reason = WhyNotThisDevice(device, architectures);
  return device;
}

Report MakeReport() {
  Report report;
  const DriverAnswers answers = AskDriver();
  report.driver = answers.driver;
  report.driver_version = answers.driver_version;
  report.runtime_version = answers.runtime_version;
  report.architectures = Architectures();
  report.reason = WhyNoDevice(answers);
  for (int index = 0; index < answers.devices; ++index) report.devices.push_back(Describe(index, report.architectures));
  const bool usable = std::any_of(report.devices.begin(), report.devices.end(),
                                  [](const DeviceReport& device) { return device.reason.empty(); });
  if (report.reason.empty() && !usable) report.reason = report.devices.front().reason;
  // cuBLASLt first: cuDNN finds the one that is open already.
  report.libraries = {CublasLtLibrary(), CudnnLibrary()};
  return report;
}

}  // namespace
}  // namespace slim::cuda

using slim::cuda::Failure;
using slim::cuda::Report;

SLIM_EXPORT int slim_lstm_cuda_api_version() { return slim::cuda::kApiVersion; }

SLIM_EXPORT int slim_lstm_cuda_score(Report* report) {
  try {
    *report = slim::cuda::MakeReport();
  } catch (const std::exception& error) {
    report->reason = error.what();
    return 0;
  }
  return static_cast<int>(std::count_if(report->devices.begin(), report->devices.end(),
                                        [](const slim::cuda::DeviceReport& device) { return device.reason.empty(); }));
}

SLIM_EXPORT slim::Backend* slim_lstm_cuda_init(int device, slim::Precision precision, Failure* failure) {
  try {
    return slim::cuda::MakeCudaBackend(device, precision).release();
  } catch (const slim::Error& error) {
    failure->code = error.code();
    failure->message = error.what();
  } catch (const std::bad_alloc&) {
    failure->code = slim::ErrorCode::kOutOfMemory;
    failure->message = "Memory for the CUDA device's own records cannot be had";
  } catch (const std::exception& error) {
    failure->message = error.what();
  }
  return nullptr;
}
