#pragma once

#include <cstddef>
#include <cstdint>

namespace slim::cuda {

/// Hands out arrays of a block of memory one after the other, each 256-byte aligned as the block is; without memory it
/// only counts.
class Placement {
 public:
  explicit Placement(void* memory) : memory_(static_cast<uint8_t*>(memory)) {}

  template <class T>
  T* Take(int64_t count) {
    return static_cast<T*>(TakeBytes(static_cast<size_t>(count) * sizeof(T)));
  }
  void* TakeBytes(size_t bytes) {
    void* taken = memory_ == nullptr ? nullptr : memory_ + bytes_;
    bytes_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
    return taken;
  }
  size_t bytes() const { return bytes_; }

 private:
  static constexpr size_t kAlignment = 256;
  uint8_t* memory_;
  size_t bytes_ = 0;
};

}  // namespace slim::cuda
