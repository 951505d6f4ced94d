#include "addon/cuda_library.h"

#include <cstdlib>
#include <map>
#include <mutex>
#include <utility>

#if defined(__linux__)
#include <dlfcn.h>
#include <unistd.h>

#include "addon/library_in_memory.h"
#endif

namespace slim::addon {
namespace {

constexpr char kPathVariable[] = "SLIM_LSTM_CUDA_LIBRARY";
/// What the name of a packed library has behind that of the library.
constexpr char kPackedEnding[] = ".br";
constexpr char kBuildAdvice[] =
    "build it, which needs nvcc of the CUDA toolkit: in a checkout with npm run build:cuda, in a project that has "
    "slim-lstm installed with node node_modules/slim-lstm/scripts/build-from-source.mjs --cuda";

bool IsPacked(const std::string& path) { return path.ends_with(kPackedEnding); }

#if defined(__linux__)

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

/// The file beside this addon, wherever that was loaded from.
std::string PathBesideAddon() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&PathBesideAddon), &info) == 0 || info.dli_fname == nullptr) return "";
  const std::string addon = info.dli_fname;
  return addon.substr(0, addon.rfind('/') + 1) + "libslim_lstm_cuda.so";
}

std::string LibraryPath() {
  const char* named = std::getenv(kPathVariable);
  return named == nullptr || *named == '\0' ? PathBesideAddon() : named;
}

/// `path`, or its packed form where that alone is there.
std::string PresentForm(const std::string& path) {
  const std::string packed = path + kPackedEnding;
  return !Exists(path) && Exists(packed) ? packed : path;
}

/// The handle, or null, and then `library.reason` says why.
void* OpenPlain(CudaLibrary& library) {
  // RTLD_LOCAL: its names are nobody else's concern, nor are others' its own.
  void* handle = dlopen(library.path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    library.reason = "the CUDA library could not be opened (" + std::string(dlerror()) + "); " + kBuildAdvice;
  }
  return handle;
}

/// The same for one that was unpacked.
void* OpenUnpacked(CudaLibrary& library, std::span<const uint8_t> contents) {
  if (contents.empty()) {
    library.reason = "the CUDA library " + library.path +
                     " could not be unpacked: it cannot be read or is damaged; install slim-lstm anew, or " +
                     kBuildAdvice;
    return nullptr;
  }
  std::string error;
  void* handle = OpenLibraryInMemory(contents, error);
  if (handle == nullptr) {
    library.reason = "the CUDA library " + library.path + " could not be opened from memory (" + error +
                     "); unpack it beside itself with brotli --decompress, or " + kBuildAdvice;
  }
  return handle;
}

/// Opens the library at `library.path` and asks it about the machine; what fails is told in `reason`.
void Open(CudaLibrary& library, std::span<const uint8_t> contents) {
  if (!Exists(library.path)) {
    library.reason =
        "this installation of slim-lstm has no CUDA library (looked for " + library.path + "); " + kBuildAdvice;
    return;
  }
  void* handle = IsPacked(library.path) ? OpenUnpacked(library, contents) : OpenPlain(library);
  if (handle == nullptr) return;
  const auto version = reinterpret_cast<cuda::ApiVersionFunction*>(dlsym(handle, cuda::kApiVersionName));
  const auto score = reinterpret_cast<cuda::ScoreFunction*>(dlsym(handle, cuda::kScoreName));
  const auto init = reinterpret_cast<cuda::InitFunction*>(dlsym(handle, cuda::kInitName));
  if (version == nullptr || score == nullptr || init == nullptr) {
    library.reason = library.path + " is no CUDA library of slim-lstm; " + kBuildAdvice;
    return;
  }
  if (const int found = version(); found != cuda::kApiVersion) {
    library.reason = "the CUDA library " + library.path +
                     " was built from another version of slim-lstm (its interface is " + std::to_string(found) +
                     ", that of this one " + std::to_string(cuda::kApiVersion) + "); " + kBuildAdvice;
    return;
  }
  const int usable = score(&library.report);
  library.init = init;
  library.reason = library.report.reason;
  if (usable == 0 && library.reason.empty()) library.reason = "the CUDA library found no device that can be used";
}

#else

bool Exists(const std::string&) { return false; }

std::string LibraryPath() { return ""; }

std::string PresentForm(const std::string& path) { return path; }

void Open(CudaLibrary& library, std::span<const uint8_t>) { library.reason = "slim-lstm uses CUDA on Linux alone"; }

#endif

/// By the path that was asked for, whichever form was there.
struct OpenedLibraries {
  std::mutex mutex;
  std::map<std::string, CudaLibrary> by_path;
};

OpenedLibraries& Opened() {
  static OpenedLibraries libraries;
  return libraries;
}

std::string CudaName(int index) { return "cuda:" + std::to_string(index); }

/// The names of the devices there are, such as "cuda:0 and cuda:1".
std::string NamesInWords(const std::vector<cuda::DeviceReport>& devices) {
  std::string names;
  for (size_t i = 0; i < devices.size(); ++i) {
    if (i > 0) names += i + 1 == devices.size() ? " and " : ", ";
    names += CudaName(devices[i].index);
  }
  return names;
}

[[noreturn]] void Refuse(const std::string& name, const std::string& reason) {
  throw Error(ErrorCode::kDevice, "Cannot use device " + name + ": " + reason);
}

/// The index of a device that can be used; throws Error where the one that is meant cannot.
int UsableDevice(const CudaLibrary& library, int index) {
  const std::string name = index < 0 ? "cuda" : CudaName(index);
  const std::vector<cuda::DeviceReport>& devices = library.report.devices;
  if (library.init == nullptr || devices.empty()) Refuse(name, library.reason);
  for (const cuda::DeviceReport& device : devices) {
    if (index < 0 ? !device.reason.empty() : device.index != index) continue;
    if (!device.reason.empty()) Refuse(name, device.reason);
    return device.index;
  }
  if (index < 0) Refuse(name, library.reason);
  Refuse(name, "this machine has " + NamesInWords(devices) + " alone");
}

}  // namespace

const CudaLibrary& OpenCudaLibrary(std::span<const uint8_t> contents) {
  OpenedLibraries& opened = Opened();
  const std::lock_guard<std::mutex> lock(opened.mutex);
  const std::string path = LibraryPath();
  const auto known = opened.by_path.find(path);
  if (known != opened.by_path.end()) return known->second;
  CudaLibrary library;
  library.path = PresentForm(path);
  Open(library, contents);
  return opened.by_path.emplace(path, std::move(library)).first->second;
}

std::string PackedCudaLibrary() {
  OpenedLibraries& opened = Opened();
  const std::lock_guard<std::mutex> lock(opened.mutex);
  const std::string path = LibraryPath();
  const std::string present = PresentForm(path);
  return opened.by_path.contains(path) || !IsPacked(present) || !Exists(present) ? "" : present;
}

bool HasCudaDriver() {
#if defined(__linux__)
  return dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL) != nullptr;
#else
  return false;
#endif
}

std::unique_ptr<Backend> OpenCudaDevice(int index, Precision precision) {
  const CudaLibrary& library = OpenCudaLibrary();
  const int device = UsableDevice(library, index);
  cuda::Failure failure;
  std::unique_ptr<Backend> backend(library.init(device, precision, &failure));
  if (backend == nullptr) throw Error(failure.code, "Cannot use device " + CudaName(device) + ": " + failure.message);
  return backend;
}

}  // namespace slim::addon
