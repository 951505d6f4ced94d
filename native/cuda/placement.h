#pragma once

#include <cstddef>
#include <cstdint>

namespace slim::cuda {

/// What arrays within a block of memory are aligned to, as the block is.
inline constexpr size_t kArrayAlignment = 256;

/// What an array takes of a block of memory with another one behind it.
constexpr size_t AlignedBytes(size_t bytes) {
  return (bytes + kArrayAlignment - 1) / kArrayAlignment * kArrayAlignment;
}

/// Hands out arrays of a block of memory one after the other; without memory it only counts.
class Placement {
 public:
  explicit Placement(void* memory) : memory_(static_cast<uint8_t*>(memory)) {}

  template <class T>
  T* Take(int64_t count) {
    return static_cast<T*>(TakeBytes(static_cast<size_t>(count) * sizeof(T)));
  }
  void* TakeBytes(size_t bytes) {
    void* taken = memory_ == nullptr ? nullptr : memory_ + bytes_;
    bytes_ += AlignedBytes(bytes);
    return taken;
  }
  size_t bytes() const { return bytes_; }

 private:
  uint8_t* memory_;
  size_t bytes_ = 0;
};

}  // namespace slim::cuda
