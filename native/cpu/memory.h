#pragma once

#include <cstddef>
#include <cstdint>

namespace slim {

inline constexpr size_t kAlignment = 64;

/// The next multiple of the alignment.
constexpr size_t AlignedBytes(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

/// Owned memory of unspecified content whose start is 64-byte aligned. From 2 MB on it starts on a huge page and asks
/// the system for such pages.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  /// Throws Error (kOutOfMemory), naming the bytes, where they cannot be had.
  explicit AlignedBuffer(size_t bytes);
  ~AlignedBuffer();
  AlignedBuffer(AlignedBuffer&& other) noexcept;
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept;

  void* data() { return data_; }
  const void* data() const { return data_; }
  float* floats() { return static_cast<float*>(data_); }
  const float* floats() const { return static_cast<const float*>(data_); }
  size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

/// Cuts arrays, each 64-byte aligned, from a block of memory that someone else owns. Sizes are planned beforehand with
/// `BytesOf`, so running out is an error of the plan and throws std::logic_error.
class Arena {
 public:
  /// `memory` is 64-byte aligned.
  Arena(void* memory, size_t bytes);

  /// What an array takes from an arena.
  template <class T>
  static constexpr size_t BytesOf(size_t count) {
    return AlignedBytes(count * sizeof(T));
  }

  template <class T>
  T* Take(size_t count) {
    return static_cast<T*>(TakeBytes(BytesOf<T>(count)));
  }

  size_t used() const { return used_; }
  size_t left() const { return bytes_ - used_; }
  /// Gives back all that was taken since used() was `mark`.
  void Rewind(size_t mark);

 private:
  void* TakeBytes(size_t bytes);

  uint8_t* memory_;
  size_t bytes_;
  size_t used_ = 0;
};

}  // namespace slim
