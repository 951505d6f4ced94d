#include "cpu/memory.h"

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "errors.h"

namespace slim {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

}  // namespace

AlignedBuffer::AlignedBuffer(size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  const size_t alignment = bytes >= kHugePage ? kHugePage : kAlignment;
  if (bytes <= SIZE_MAX - alignment) {
    data_ = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  }
  if (data_ == nullptr) {
    throw Error(ErrorCode::kOutOfMemory, "Could not get " + std::to_string(bytes) + " bytes of memory");
  }
#if defined(__linux__)
  // Only advice: where the system refuses, small pages serve.
  if (alignment == kHugePage) static_cast<void>(madvise(data_, bytes, MADV_HUGEPAGE));
#endif
}

AlignedBuffer::~AlignedBuffer() { std::free(data_); }

AlignedBuffer::AlignedBuffer(AlignedBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

AlignedBuffer& AlignedBuffer::operator=(AlignedBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Arena::Arena(void* memory, size_t bytes) : memory_(static_cast<uint8_t*>(memory)), bytes_(bytes) {
  if (reinterpret_cast<uintptr_t>(memory) % kAlignment != 0) throw std::logic_error("Arena memory is not aligned");
}

void* Arena::TakeBytes(size_t bytes) {
  if (bytes > left()) {
    throw std::logic_error("Arena of " + std::to_string(bytes_) + " bytes has " + std::to_string(left()) +
                           " left but was asked for " + std::to_string(bytes));
  }
  void* taken = memory_ + used_;
  used_ += bytes;
  return taken;
}

void Arena::Rewind(size_t mark) {
  if (mark > used_) throw std::logic_error("Arena rewound to a mark beyond what was taken");
  used_ = mark;
}

}  // namespace slim
