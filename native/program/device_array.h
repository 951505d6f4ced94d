#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "backend.h"
#include "program/host_memory.h"

namespace slim {

/// Owned memory of a device, of unspecified content. Where the device's memory is the host's it is counted as such.
class DeviceArray {
 public:
  DeviceArray() = default;

  /// Throws Error (kOutOfMemory, kOutOfHostMemory), naming `what`.
  DeviceArray(Backend& backend, size_t bytes, const std::string& what) : backend_(&backend), bytes_(bytes) {
    if (bytes == 0) return;
    if (backend.ReadsHostMemory()) reservation_ = HostReservation(bytes, what);
    memory_ = backend.Allocate(bytes);
  }

  ~DeviceArray() {
    if (memory_ != nullptr) backend_->Free(memory_);
  }

  DeviceArray(DeviceArray&& other) noexcept { Swap(other); }
  DeviceArray& operator=(DeviceArray&& other) noexcept {
    DeviceArray(std::move(other)).Swap(*this);
    return *this;
  }

  void* data() const { return memory_; }
  template <class T>
  T* As() const {
    return static_cast<T*>(memory_);
  }
  size_t bytes() const { return bytes_; }

 private:
  void Swap(DeviceArray& other) noexcept {
    std::swap(backend_, other.backend_);
    std::swap(memory_, other.memory_);
    std::swap(bytes_, other.bytes_);
    std::swap(reservation_, other.reservation_);
  }

  Backend* backend_ = nullptr;
  void* memory_ = nullptr;
  size_t bytes_ = 0;
  HostReservation reservation_;
};

}  // namespace slim
