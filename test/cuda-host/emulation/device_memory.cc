#include "emulation/device_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <new>

#include "emulation/emulator.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, bytes) static_cast<void>(0)
#define ASAN_UNPOISON_MEMORY_REGION(at, bytes) static_cast<void>(0)
#endif

namespace emulated {
namespace {

constexpr size_t kReserved = size_t{8} << 30;
constexpr size_t kAlignment = 256;
constexpr size_t kRedZone = 256;

size_t RoundUp(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

size_t RoomFor(size_t bytes) { return RoundUp(bytes, kAlignment) + kRedZone; }

}  // namespace

DeviceMemory::DeviceMemory() {
  void* base = mmap(nullptr, kReserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) throw std::bad_alloc();
  base_ = static_cast<uint8_t*>(base);
  next_ = kRedZone;
}

DeviceMemory::~DeviceMemory() {
  ASAN_UNPOISON_MEMORY_REGION(base_, touched_);
  munmap(base_, kReserved);
}

void DeviceMemory::Protect(bool open) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  mprotect(base_, RoundUp(touched_, page), open ? PROT_READ | PROT_WRITE : PROT_NONE);
}

void* DeviceMemory::Allocate(size_t bytes, size_t limit) {
  const size_t room = RoomFor(bytes);
  if (bytes > limit || allocated_ > limit - bytes || room > kReserved) return nullptr;
  // The first gap from `next_` on, then from the beginning.
  size_t offset = next_;
  bool wrapped = false;
  auto block = blocks_.lower_bound(offset);
  for (;;) {
    const size_t end = block == blocks_.end() ? kReserved : block->first;
    if (end >= offset && end - offset >= room) break;
    if (block == blocks_.end()) {
      if (wrapped) return nullptr;
      wrapped = true;
      offset = kRedZone;
      block = blocks_.begin();
    } else {
      offset = block->first + RoomFor(block->second);
      ++block;
    }
  }
  blocks_[offset] = bytes;
  next_ = offset + room;
  allocated_ += bytes;
  if (offset + room > touched_) {
    // Bytes of a page that was touched already have their shadow; the new ones get it here.
    const size_t before = touched_;
    touched_ = offset + room;
    ASAN_POISON_MEMORY_REGION(base_ + before, touched_ - before);
  }
  const Access access(*this);
  Protect(true);
  ASAN_UNPOISON_MEMORY_REGION(base_ + offset, bytes);
  auto* words = reinterpret_cast<uint32_t*>(base_ + offset);
  std::fill_n(words, bytes / sizeof(uint32_t), kPoison);
  std::fill(base_ + offset + bytes / sizeof(uint32_t) * sizeof(uint32_t), base_ + offset + bytes, uint8_t{0xA0});
  return base_ + offset;
}

bool DeviceMemory::Free(void* memory) {
  if (!Contains(memory)) return false;
  const auto block = blocks_.find(static_cast<size_t>(static_cast<uint8_t*>(memory) - base_));
  if (block == blocks_.end()) return false;
  ASAN_POISON_MEMORY_REGION(memory, RoomFor(block->second));
  allocated_ -= block->second;
  blocks_.erase(block);
  return true;
}

bool DeviceMemory::Contains(const void* at) const { return at >= base_ && at < base_ + kReserved; }

bool DeviceMemory::Holds(const void* at, size_t bytes) const {
  if (!Contains(at)) return false;
  const auto offset = static_cast<size_t>(static_cast<const uint8_t*>(at) - base_);
  auto block = blocks_.upper_bound(offset);
  if (block == blocks_.begin()) return false;
  --block;
  return offset + bytes <= block->first + block->second;
}

void DeviceMemory::Clear() {
  blocks_.clear();
  allocated_ = 0;
  next_ = kRedZone;
  ASAN_POISON_MEMORY_REGION(base_, touched_);
}

}  // namespace emulated
