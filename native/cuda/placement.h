#pragma once

#include <cstddef>
#include <cstdint>

namespace slim::cuda {

/// Hands out arrays of a block of memory one after the other; without memory it only counts.
class Placement {
 public:
  explicit Placement(void* memory) : memory_(static_cast<uint8_t*>(memory)) {}

  template <class T>
  T* Take(int64_t count) {
    T* taken = memory_ == nullptr ? nullptr : reinterpret_cast<T*>(memory_ + bytes_);
    bytes_ += (static_cast<size_t>(count) * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
    return taken;
  }
  size_t bytes() const { return bytes_; }

 private:
  static constexpr size_t kAlignment = 256;
  uint8_t* memory_;
  size_t bytes_ = 0;
};

}  // namespace slim::cuda
