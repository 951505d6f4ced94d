#include "program/host_memory.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <limits>

#include "errors.h"
#include "program/sizes.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <unistd.h>
#endif

namespace slim {
namespace {

std::atomic<size_t> claimed{0};

size_t PhysicalMemoryBytes() {
#if defined(_WIN32)
  MEMORYSTATUSEX status;
  status.dwLength = sizeof status;
  if (GlobalMemoryStatusEx(&status)) return static_cast<size_t>(status.ullTotalPhys);
#else
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page_bytes = sysconf(_SC_PAGESIZE);
  if (pages > 0 && page_bytes > 0) return static_cast<size_t>(pages) * static_cast<size_t>(page_bytes);
#endif
  return std::numeric_limits<size_t>::max();
}

/// The limit in a control group's file, which holds a number, or "max" for none. Not read by a stream: those of C++
/// bring their locales along, which would be a sixth of the addon.
size_t GroupLimit(const char* path) {
  constexpr size_t kNone = std::numeric_limits<size_t>::max();
  std::FILE* file = std::fopen(path, "r");
  if (file == nullptr) return kNone;
  size_t limit = 0;
  const bool told = std::fscanf(file, "%zu", &limit) == 1;
  std::fclose(file);
  return told && limit > 0 ? limit : kNone;
}

}  // namespace

size_t HostMemoryBytes() {
  static const size_t bytes = std::min({PhysicalMemoryBytes(), GroupLimit("/sys/fs/cgroup/memory.max"),
                                        GroupLimit("/sys/fs/cgroup/memory/memory.limit_in_bytes")});
  return bytes;
}

HostReservation::HostReservation(size_t bytes, const std::string& what) {
  size_t before = claimed.load(std::memory_order_relaxed);
  do {
    if (bytes > HostMemoryBytes() || before > HostMemoryBytes() - bytes) ThrowOutOfHostMemory(bytes, what);
  } while (!claimed.compare_exchange_weak(before, before + bytes, std::memory_order_relaxed));
  bytes_ = bytes;
}

HostReservation::~HostReservation() { claimed.fetch_sub(bytes_, std::memory_order_relaxed); }

void ThrowOutOfHostMemory(size_t bytes, const std::string& what) {
  throw Error(ErrorCode::kOutOfHostMemory, "Memory for " + what + " cannot be had: " + BytesText(bytes) +
                                               " are needed, this process may use " + BytesText(HostMemoryBytes()) +
                                               " and the engine already holds " +
                                               BytesText(claimed.load(std::memory_order_relaxed)));
}

}  // namespace slim
