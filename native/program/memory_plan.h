#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace slim {

/// A block of memory that a plan places. kNoBuffer stands for none.
using BufferId = int32_t;
inline constexpr BufferId kNoBuffer = -1;

/// Places blocks of memory that live for a while in one arena, so that blocks whose lives overlap do not.
///
/// Time is a number that rises through a step: first the forward pass node by node, then the loss, then the backward
/// pass. A block lives from the time it was added for to the last time it was extended to, both included.
class MemoryPlan {
 public:
  /// Every block begins at a multiple of this, which suits vector loads and coalesced reads.
  static constexpr size_t kBufferAlignment = 256;

  /// A block that is first written at `time`. A size of 0 gives kNoBuffer.
  BufferId Add(size_t bytes, int time);

  /// The block is still used at `time`. kNoBuffer is passed over.
  void Extend(BufferId buffer, int time);

  /// Places the blocks: the largest first, each at the lowest place where no block with a life that overlaps lies
  /// ("greedy by size", Pisarchyk and Lee, arXiv 2001.03288). Ends the plan: no block is added after it.
  void Place();

  /// Bytes of the arena.
  size_t ArenaBytes() const { return arena_bytes_; }
  size_t OffsetOf(BufferId buffer) const { return buffers_[static_cast<size_t>(buffer)].offset; }

  struct Buffer {
    size_t bytes;
    int first;  // the times of its life, both included
    int last;
    size_t offset;
  };
  const std::vector<Buffer>& buffers() const { return buffers_; }

 private:
  std::vector<Buffer> buffers_;
  size_t arena_bytes_ = 0;
};

}  // namespace slim
