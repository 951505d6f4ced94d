#pragma once

#include <cstddef>

#include "backend.h"
#include "cpu/memory.h"
#include "thread_pool.h"

namespace slim {

/// Where the device's memory is the host's, nothing travels: what was written is read where it lies.
class CpuHostFeed final : public HostFeed {
 public:
  /// Throws Error (kOutOfMemory).
  CpuHostFeed(ThreadPool& pool, size_t bytes) : pool_(pool), slots_{AlignedBuffer(bytes), AlignedBuffer(bytes)} {}

  void* Next() override { return slots_[1 - sent_].data(); }
  void Send(size_t) override { sent_ = 1 - sent_; }
  void Receive(void* destination, size_t offset, size_t bytes) override;

 private:
  ThreadPool& pool_;
  AlignedBuffer slots_[2];
  int sent_ = 0;  // the slot that was sent last; the other is written next
};

}  // namespace slim
