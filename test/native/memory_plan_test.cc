#include "program/memory_plan.h"

#include "philox.h"
#include "test.h"

namespace slim {
namespace {

bool LivesOverlap(const MemoryPlan::Buffer& a, const MemoryPlan::Buffer& b) {
  return a.first <= b.last && b.first <= a.last;
}

bool BytesOverlap(const MemoryPlan::Buffer& a, const MemoryPlan::Buffer& b) {
  return a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
}

void ExpectSound(const MemoryPlan& plan) {
  const auto& buffers = plan.buffers();
  for (size_t i = 0; i < buffers.size(); ++i) {
    EXPECT_EQ(buffers[i].offset % MemoryPlan::kBufferAlignment, 0u);
    EXPECT(buffers[i].offset + buffers[i].bytes <= plan.ArenaBytes());
    for (size_t j = 0; j < i; ++j) {
      EXPECT(!LivesOverlap(buffers[i], buffers[j]) || !BytesOverlap(buffers[i], buffers[j]));
    }
  }
}

/// No plan is smaller than what is alive at one time.
size_t LargestLiveBytes(const MemoryPlan& plan, int times) {
  size_t largest = 0;
  for (int time = 0; time < times; ++time) {
    size_t live = 0;
    for (const auto& buffer : plan.buffers()) {
      if (buffer.first <= time && time <= buffer.last) live += (buffer.bytes + 255) / 256 * 256;
    }
    largest = live > largest ? live : largest;
  }
  return largest;
}

TEST("blocks that live at once never share a byte, whatever their sizes and lives") {
  for (uint32_t trial = 0; trial < 200; ++trial) {
    const RandomStream stream{trial, 0, 0};
    uint64_t next = 0;
    MemoryPlan plan;
    const int blocks = 1 + static_cast<int>(stream.Word(next++) % 60);
    for (int i = 0; i < blocks; ++i) {
      const int first = static_cast<int>(stream.Word(next++) % 40);
      const BufferId id = plan.Add(1 + stream.Word(next++) % 5000, first);
      plan.Extend(id, first + static_cast<int>(stream.Word(next++) % 20));
    }
    plan.Place();
    ExpectSound(plan);
    EXPECT(plan.ArenaBytes() >= LargestLiveBytes(plan, 60));
  }
}

TEST("blocks that follow each other in time take each other's place") {
  MemoryPlan plan;
  for (int time = 0; time < 10; ++time) plan.Add(1024, 2 * time);
  plan.Place();
  ExpectSound(plan);
  EXPECT_EQ(plan.ArenaBytes(), 1024u);
}

TEST("a block lives through its last time") {
  MemoryPlan plan;
  const BufferId a = plan.Add(256, 0);
  plan.Extend(a, 5);
  const BufferId b = plan.Add(256, 5);
  const BufferId c = plan.Add(256, 6);
  plan.Place();
  EXPECT(plan.OffsetOf(a) != plan.OffsetOf(b));
  EXPECT_EQ(plan.OffsetOf(c), 0u);
  EXPECT_EQ(plan.ArenaBytes(), 512u);
}

TEST("an extension into the past changes nothing, and no bytes need no block") {
  MemoryPlan plan;
  const BufferId a = plan.Add(300, 4);
  plan.Extend(a, 2);
  EXPECT_EQ(plan.buffers()[0].last, 4);
  EXPECT_EQ(plan.Add(0, 1), kNoBuffer);
  plan.Extend(kNoBuffer, 3);
  plan.Place();
  EXPECT_EQ(plan.ArenaBytes(), 512u);
}

}  // namespace
}  // namespace slim
