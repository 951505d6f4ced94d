#include "program/memory_plan.h"

#include <algorithm>
#include <iterator>
#include <numeric>

namespace slim {
namespace {

size_t RoundedUp(size_t bytes) {
  return (bytes + MemoryPlan::kBufferAlignment - 1) / MemoryPlan::kBufferAlignment * MemoryPlan::kBufferAlignment;
}

bool LivesOverlap(const MemoryPlan::Buffer& a, const MemoryPlan::Buffer& b) {
  return a.first <= b.last && b.first <= a.last;
}

/// The lowest offset at which `bytes` fit between `taken`, which are sorted by offset and may overlap each other.
size_t LowestGap(const std::vector<const MemoryPlan::Buffer*>& taken, size_t bytes) {
  size_t offset = 0;
  for (const MemoryPlan::Buffer* block : taken) {
    if (block->offset >= offset + bytes) break;
    offset = std::max(offset, block->offset + RoundedUp(block->bytes));
  }
  return offset;
}

}  // namespace

BufferId MemoryPlan::Add(size_t bytes, int time) {
  if (bytes == 0) return kNoBuffer;
  buffers_.push_back({bytes, time, time, 0});
  return static_cast<BufferId>(buffers_.size() - 1);
}

void MemoryPlan::Extend(BufferId buffer, int time) {
  if (buffer == kNoBuffer) return;
  Buffer& block = buffers_[static_cast<size_t>(buffer)];
  block.last = std::max(block.last, time);
}

void MemoryPlan::Place() {
  std::vector<size_t> order(buffers_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return buffers_[a].bytes > buffers_[b].bytes; });
  std::vector<const Buffer*> placed;  // sorted by offset
  std::vector<const Buffer*> in_the_way;
  for (const size_t index : order) {
    Buffer& buffer = buffers_[index];
    in_the_way.clear();
    std::copy_if(placed.begin(), placed.end(), std::back_inserter(in_the_way),
                 [&](const Buffer* other) { return LivesOverlap(*other, buffer); });
    buffer.offset = LowestGap(in_the_way, RoundedUp(buffer.bytes));
    arena_bytes_ = std::max(arena_bytes_, buffer.offset + RoundedUp(buffer.bytes));
    const auto place = std::upper_bound(placed.begin(), placed.end(), buffer.offset,
                                        [](size_t offset, const Buffer* other) { return offset < other->offset; });
    placed.insert(place, &buffer);
  }
}

}  // namespace slim
