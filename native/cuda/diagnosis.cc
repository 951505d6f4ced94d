#include "cuda/diagnosis.h"

#include <algorithm>
#include <cctype>

#include "cuda/split.h"

namespace slim::cuda {
namespace {

// Values of cudaError_t: they are part of CUDA's binary interface and do not change.
constexpr int kInitializationError = 3;
constexpr int kStubLibrary = 34;
constexpr int kInsufficientDriver = 35;
constexpr int kCallRequiresNewerDriver = 36;
constexpr int kDevicesUnavailable = 46;
constexpr int kNoDevice = 100;
constexpr int kSystemNotReady = 802;
constexpr int kSystemDriverMismatch = 803;
constexpr int kCompatNotSupportedOnDevice = 804;

// What the oldest architecture of the library demands; CUDA 13 compiles for no older one.
constexpr int kOldestMajor = 7;
constexpr int kOldestMinor = 5;

/// The oldest driver that serves the runtime, by NVIDIA's table of minor version compatibility.
int OldestDriver(int runtime_version) { return runtime_version >= 13000 ? 580 : 525; }

std::string DriverToInstall(int runtime_version) {
  const std::string version = std::to_string(OldestDriver(runtime_version));
  return "install driver " + version + " or newer (Ubuntu: sudo apt-get install nvidia-driver-" + version +
         "; others: https://www.nvidia.com/drivers)";
}

std::string DriverInWords(const DriverAnswers& answers) {
  return answers.driver.empty() ? "the NVIDIA driver" : "the NVIDIA driver " + answers.driver;
}

std::string WhyInsufficient(const DriverAnswers& answers) {
  if (answers.driver_version > 0) {
    return DriverInWords(answers) + " is too old: it serves CUDA " + VersionInWords(answers.driver_version) +
           " at the most and slim-lstm's CUDA library needs " + VersionInWords(answers.runtime_version) + "; " +
           DriverToInstall(answers.runtime_version);
  }
  if (!answers.driver.empty()) {
    return DriverInWords(answers) +
           " is loaded but its library libcuda.so.1 cannot be opened; in a container start it with the GPUs (docker "
           "run "
           "--gpus all), elsewhere install the driver anew";
  }
  return "no NVIDIA driver is loaded; " + DriverToInstall(answers.runtime_version);
}

std::string WhyNothingSeen(const DriverAnswers& answers) {
  if (answers.visible_devices_set) {
    return "CUDA_VISIBLE_DEVICES is '" + answers.visible_devices +
           "', which hides every device; unset it or name one that nvidia-smi -L lists";
  }
  return DriverInWords(answers) +
         " sees no GPU; see what nvidia-smi says, and in a container start it with the GPUs (docker run --gpus all)";
}

/// One entry of CMake's list: "90a-real", "120-virtual", or "80" for both.
struct Architecture {
  int number = 0;  // 10 * major + minor
  bool exact = false;
  bool real = true;
  bool portable = true;  // PTX, which the driver compiles for newer devices
};

std::vector<Architecture> Parse(const std::string& architectures) {
  std::vector<Architecture> list;
  for (const std::string& entry : Split(architectures, ';')) {
    Architecture architecture;
    size_t end = 0;
    while (end < entry.size() && std::isdigit(static_cast<unsigned char>(entry[end])) != 0) {
      architecture.number = 10 * architecture.number + (entry[end++] - '0');
    }
    if (end == 0) continue;
    architecture.exact = end < entry.size() && entry[end] == 'a';
    architecture.real = entry.find("-virtual") == std::string::npos;
    architecture.portable = entry.find("-real") == std::string::npos;
    list.push_back(architecture);
  }
  return list;
}

/// Machine code runs on devices of its major version that are not older, that of an architecture with "a" on no other;
/// PTX on all that are not older.
bool Serves(const Architecture& architecture, int major, int minor) {
  const int device = 10 * major + minor;
  if (architecture.exact) return device == architecture.number;
  if (device < architecture.number) return false;
  return architecture.portable || (architecture.real && architecture.number / 10 == major);
}

}  // namespace

std::string VersionInWords(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string WhyNoDevice(const DriverAnswers& answers) {
  switch (answers.status) {
    case 0:
      return answers.devices > 0 ? "" : WhyNothingSeen(answers);
    case kNoDevice:
      return WhyNothingSeen(answers);
    case kInsufficientDriver:
    case kCallRequiresNewerDriver:
      return WhyInsufficient(answers);
    case kStubLibrary:
      return "the libcuda.so.1 that was found is the CUDA toolkit's stub, made for linking alone; take the folder "
             "'stubs' out of LD_LIBRARY_PATH";
    case kDevicesUnavailable:
      return "another process holds the GPU for itself; wait for its end, or name another device";
    case kSystemNotReady:
      return "the GPUs' interconnect is not ready; start its service (sudo systemctl start nvidia-fabricmanager)";
    case kSystemDriverMismatch:
      return "the NVIDIA driver's library and its kernel module differ in version, as after an update; restart the "
             "machine";
    case kCompatNotSupportedOnDevice:
      return "the CUDA compatibility package does not serve this GPU; take its folder 'compat' out of LD_LIBRARY_PATH "
             "and " +
             DriverToInstall(answers.runtime_version);
    case kInitializationError:
      return DriverInWords(answers) +
             " could not be initialised; see what nvidia-smi says (a process that was forked after using CUDA cannot "
             "use it again)";
    default:
      return DriverInWords(answers) + " answered '" + answers.status_text + "' (CUDA error " +
             std::to_string(answers.status) + "); see what nvidia-smi says";
  }
}

std::string WhyNotThisDevice(const DeviceReport& device, const std::string& architectures) {
  const std::string capability = std::to_string(device.major) + "." + std::to_string(device.minor);
  if (10 * device.major + device.minor < 10 * kOldestMajor + kOldestMinor) {
    return device.name + " has compute capability " + capability + " and 7.5 (Turing) is the oldest that is served";
  }
  const std::vector<Architecture> list = Parse(architectures);
  const bool served = std::any_of(list.begin(), list.end(),
                                  [&](const Architecture& a) { return Serves(a, device.major, device.minor); });
  if (served) return "";
  return device.name + " has compute capability " + capability + " and the CUDA library was built for " +
         architectures +
         " alone; build it for this device: in a checkout with npm run build:cuda, in a project that has "
         "slim-lstm installed with node node_modules/slim-lstm/scripts/build-from-source.mjs --cuda";
}

}  // namespace slim::cuda
