// What the addon may meet in a CUDA library and behind it. SLIM_LSTM_FAKE_CUDA names the case; the GPU that works is
// one whose memory is its own and whose work is done later.

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "cpu/cpu_backend.h"
#include "cuda/diagnosis.h"
#include "cuda/library.h"
#include "cuda/precisions.h"
#include "deferred_backend.h"

#define SLIM_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

using slim::Backend;
using slim::ErrorCode;
using slim::Precision;
using slim::cuda::DeviceReport;
using slim::cuda::DriverAnswers;
using slim::cuda::Failure;
using slim::cuda::Report;

constexpr char kArchitectures[] = "75-real;80-real;90a-real";
constexpr int kCuda13 = 13000;
constexpr uint64_t kGiB = uint64_t{1} << 30;

constexpr size_t kLittleMemory = size_t{4} << 20;
constexpr int64_t kStepsToLoss = 8;

bool IsCase(const char* name) {
  const char* value = std::getenv("SLIM_LSTM_FAKE_CUDA");
  return value != nullptr && std::string(value) == name;
}

/// Answers of a driver that serves nothing.
DriverAnswers Refusal() {
  DriverAnswers answers;
  answers.runtime_version = kCuda13;
  if (IsCase("no driver")) {
    answers.status = 35;
  } else if (IsCase("old driver")) {
    answers.status = 35;
    answers.driver_version = 12080;
    answers.driver = "570.86.10";
  } else if (IsCase("no device")) {
    answers.status = 100;
    answers.driver_version = kCuda13;
    answers.driver = "580.65.06";
  }
  return answers;
}

DeviceReport Gpu(int index, const char* name, int major, int minor) {
  DeviceReport device;
  device.index = index;
  device.name = name;
  device.major = major;
  device.minor = minor;
  device.multiprocessors = 132;
  device.memory = 140 * kGiB;
  device.precisions = slim::cuda::PrecisionsOf(10 * major + minor);
  device.reason = slim::cuda::WhyNotThisDevice(device, kArchitectures);
  return device;
}

}  // namespace

SLIM_EXPORT int slim_lstm_cuda_api_version() {
  return IsCase("other version") ? slim::cuda::kApiVersion + 1 : slim::cuda::kApiVersion;
}

SLIM_EXPORT int slim_lstm_cuda_score(Report* report) {
  const DriverAnswers refusal = Refusal();
  report->runtime_version = kCuda13;
  report->architectures = kArchitectures;
  report->libraries = {{"cuBLASLt", "13.1.1", "/opt/cublas/libcublasLt.so.13", ""},
                       {"cuDNN", "", "", "cuDNN was not found"}};
  report->driver = refusal.driver;
  report->driver_version = refusal.driver_version;
  if (refusal.status != 0) {
    report->reason = slim::cuda::WhyNoDevice(refusal);
    return 0;
  }
  report->driver = "580.65.06";
  report->driver_version = kCuda13;
  report->devices = {Gpu(0, "Old GPU", 6, 1)};
  if (IsCase("old GPU")) {
    report->reason = report->devices[0].reason;
    return 0;
  }
  report->devices.push_back(Gpu(1, "Fake GPU", 9, 0));
  return 1;
}

SLIM_EXPORT Backend* slim_lstm_cuda_init(int device, Precision precision, Failure* failure) {
  if (IsCase("device in use")) {
    failure->code = ErrorCode::kOutOfMemory;
    failure->message = "its memory is full";
    return nullptr;
  }
  if (IsCase("precision")) {
    failure->message = std::string("it was asked for ") + NameOf(precision);
    return nullptr;
  }
  if (device != 1) {
    failure->message = "Expected the device 1";
    return nullptr;
  }
  static const auto little = std::make_shared<slim::test::DeferredMemory>(kLittleMemory);
  const auto memory = IsCase("little memory") ? little : std::make_shared<slim::test::DeferredMemory>(SIZE_MAX);
  auto backend = std::make_unique<slim::test::DeferredBackend>(slim::MakeCpuBackend(1), memory);
  if (IsCase("lost in step 8")) backend->Lose(kStepsToLoss);
  return backend.release();
}
