#pragma once

#include <cstddef>
#include <cstdlib>
#include <limits>
#include <memory>
#include <string>
#include <utility>

/// The host's memory, asked for with an eye on how much there is: systems that overcommit hand out more than they have
/// and end the process later, so a request that cannot be met is refused before its pages are touched.
namespace slim {

/// What this process may use: the machine's memory, or its control group's limit where that is less.
size_t HostMemoryBytes();

/// A claim on the host's memory that is counted process-wide while the object lives. Throws Error (kOutOfHostMemory),
/// naming `what`, where all claims together would pass HostMemoryBytes().
class HostReservation {
 public:
  HostReservation() = default;
  HostReservation(size_t bytes, const std::string& what);
  ~HostReservation();
  HostReservation(HostReservation&& other) noexcept : bytes_(std::exchange(other.bytes_, 0)) {}
  HostReservation& operator=(HostReservation&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }

 private:
  size_t bytes_ = 0;
};

[[noreturn]] void ThrowOutOfHostMemory(size_t bytes, const std::string& what);

/// An array of unspecified content in the host's memory, counted by a reservation. For plain types.
template <class T>
class HostArray {
 public:
  HostArray() = default;
  /// Throws Error (kOutOfHostMemory), naming `what`.
  HostArray(size_t count, const std::string& what)
      : reservation_(BytesFor(count, what), what),
        memory_(static_cast<T*>(std::malloc(BytesFor(count, what)))),
        count_(count) {
    if (memory_ == nullptr) ThrowOutOfHostMemory(BytesFor(count, what), what);
  }

  T* data() { return memory_.get(); }
  const T* data() const { return memory_.get(); }
  size_t size() const { return count_; }
  size_t bytes() const { return count_ * sizeof(T); }
  T& operator[](size_t index) { return memory_.get()[index]; }
  const T& operator[](size_t index) const { return memory_.get()[index]; }

 private:
  struct Release {
    void operator()(T* memory) const { std::free(memory); }
  };

  static size_t BytesFor(size_t count, const std::string& what) {
    if (count > std::numeric_limits<size_t>::max() / sizeof(T) / 2) {
      ThrowOutOfHostMemory(std::numeric_limits<size_t>::max(), what);
    }
    return count == 0 ? 1 : count * sizeof(T);
  }

  HostReservation reservation_;
  std::unique_ptr<T, Release> memory_;
  size_t count_ = 0;
};

}  // namespace slim
