#include "addon/library_in_memory.h"

#if defined(__linux__)

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace slim::addon {
namespace {

/// Shown in /proc/<pid>/maps.
constexpr char kName[] = "libslim_lstm_cuda.so";

/// MFD_NOEXEC_SEAL of Linux 6.3, which the C library's headers may lack: no program is to be started from the memory.
constexpr unsigned int kNotAProgram = 0x0008;

/// The descriptor of an empty file in memory, or -1. A system may refuse those without the seal (vm.memfd_noexec); an
/// older one does not know it.
int CreateFile() {
  const int file = memfd_create(kName, MFD_CLOEXEC | kNotAProgram);
  return file >= 0 || errno != EINVAL ? file : memfd_create(kName, MFD_CLOEXEC);
}

bool WriteAll(int file, std::span<const uint8_t> contents) {
  while (!contents.empty()) {
    const ssize_t written = write(file, contents.data(), contents.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    contents = contents.subspan(static_cast<size_t>(written));
  }
  return true;
}

std::string LastError(const char* function) {
  return std::string(function) + ": " + std::system_category().message(errno);
}

}  // namespace

void* OpenLibraryInMemory(std::span<const uint8_t> contents, std::string& error) {
  const int file = CreateFile();
  if (file < 0) {
    error = LastError("memfd_create");
    return nullptr;
  }
  void* handle = nullptr;
  if (!WriteAll(file, contents)) {
    error = LastError("write");
  } else {
    handle = dlopen(("/proc/self/fd/" + std::to_string(file)).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) error = dlerror();
  }
  // What was opened keeps its descriptor: the loader knows libraries by their names, and another file of the same
  // number would be taken for this one.
  if (handle == nullptr) close(file);
  return handle;
}

}  // namespace slim::addon

#endif
