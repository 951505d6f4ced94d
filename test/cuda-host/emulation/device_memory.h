#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

namespace emulated {

/// The card's memory: a mapping of its own that nobody can touch but while the card works, so that a device address
/// that the host reads or writes is a fault. Each allocation has poisoned bytes around it, and addresses come again as
/// late as possible.
class DeviceMemory {
 public:
  DeviceMemory();
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  /// Null where fewer bytes are free. Filled with kPoison.
  void* Allocate(size_t bytes, size_t limit);
  /// False where nothing was allocated there.
  bool Free(void* memory);
  /// Whether [at, at + bytes) lies in one allocation.
  bool Holds(const void* at, size_t bytes) const;
  /// Whether the address is one of device memory at all.
  bool Contains(const void* at) const;

  size_t allocated() const { return allocated_; }
  size_t blocks() const { return blocks_.size(); }
  void Clear();

  /// While one lives, the card works.
  class Access {
   public:
    explicit Access(DeviceMemory& memory) : memory_(memory) {
      if (memory_.users_++ == 0) memory_.Protect(true);
    }
    ~Access() {
      if (--memory_.users_ == 0) memory_.Protect(false);
    }
    Access(const Access&) = delete;
    Access& operator=(const Access&) = delete;

   private:
    DeviceMemory& memory_;
  };

 private:
  void Protect(bool open);

  uint8_t* base_;
  size_t touched_ = 0;               // bytes from the base that were ever handed out
  size_t next_ = 0;                  // where the search for room begins
  std::map<size_t, size_t> blocks_;  // offset to size
  size_t allocated_ = 0;
  int users_ = 0;
};

}  // namespace emulated
