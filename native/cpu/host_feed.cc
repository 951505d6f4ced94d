#include "cpu/host_feed.h"

#include "cpu/memory_operations.h"

namespace slim {

void CpuHostFeed::Receive(void* destination, size_t offset, size_t bytes) {
  Copy(pool_, destination, static_cast<const std::byte*>(slots_[sent_].data()) + offset, bytes);
}

}  // namespace slim
