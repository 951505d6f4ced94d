#include <algorithm>
#include <cstring>
#include <string>

#include "emulation/grid_state.h"
#include "emulation/thread_operations.h"

namespace emulated {

void MeetInWarp(const char* kind, unsigned int mask, const void* in, size_t in_bytes, void* out, size_t out_bytes,
                const Exchange& exchange, const Place& place) {
  GridRun& grid = CurrentGrid();
  Thread& thread = grid.running();
  Block& block = *thread.block;
  const int lane = thread.number % kWarpLanes;
  const int first = thread.number - lane;
  Warp& warp = block.warps[static_cast<size_t>(first / kWarpLanes)];
  if (!(mask >> lane & 1u)) FailThread(std::string("called a ") + kind + " whose mask leaves it out");
  if ((mask & ~warp.lanes) != 0) {
    FailThread(std::string("called a ") + kind + " with a lane that is not there or has ended");
  }
  // Lanes of another mask may meet meanwhile, even some of these, before they come here.
  auto meeting = std::find_if(warp.meetings.begin(), warp.meetings.end(), [&](auto& m) { return m.mask == mask; });
  if (meeting == warp.meetings.end()) meeting = warp.meetings.insert(meeting, {kind, mask, 0});
  if (std::strcmp(meeting->kind, kind) != 0) {
    FailThread(std::string("called a ") + kind + " while a lane of its warp waits at a " + meeting->kind);
  }
  std::memcpy(warp.in[lane], in, in_bytes);
  meeting->arrived |= 1u << lane;
  if (meeting->arrived != mask) {
    grid.Sleep(kind, place);
    std::memcpy(out, warp.out[lane], out_bytes);
    return;
  }
  warp.meetings.erase(meeting);
  // Results go to the lanes that met alone: those of others may not have been taken yet.
  exchange(warp.in, warp.out);
  for (int other = 0; other < kWarpLanes; ++other) {
    if ((mask >> other & 1u) && other != lane) grid.Wake(block.threads[static_cast<size_t>(first + other)]);
  }
  // What the next meeting brings may come before this thread runs again.
  std::memcpy(out, warp.out[lane], out_bytes);
  grid.Yield(false);
}

void WarpBarrier(unsigned int mask, const Place& place) {
  MeetInWarp(
      "__syncwarp", mask, nullptr, 0, nullptr, 0, [](auto, auto) {}, place);
}

unsigned int Ballot(unsigned int mask, bool yes, const Place& place) {
  unsigned int votes = 0;
  MeetInWarp(
      "vote", mask, &yes, sizeof(yes), &votes, sizeof(votes),
      [mask](const std::byte(*in)[kExchangeBytes], std::byte(*out)[kExchangeBytes]) {
        unsigned int all = 0;
        for (int lane = 0; lane < kWarpLanes; ++lane) {
          if ((mask >> lane & 1u) && in[lane][0] != std::byte{0}) all |= 1u << lane;
        }
        for (int lane = 0; lane < kWarpLanes; ++lane) {
          if (mask >> lane & 1u) std::memcpy(out[lane], &all, sizeof(all));
        }
      },
      place);
  return votes;
}

unsigned int Match(unsigned int mask, uint64_t value, const Place& place) {
  unsigned int equal = 0;
  MeetInWarp(
      "match", mask, &value, sizeof(value), &equal, sizeof(equal),
      [mask](const std::byte(*in)[kExchangeBytes], std::byte(*out)[kExchangeBytes]) {
        for (int lane = 0; lane < kWarpLanes; ++lane) {
          if (!(mask >> lane & 1u)) continue;
          unsigned int same = 0;
          for (int other = 0; other < kWarpLanes; ++other) {
            if ((mask >> other & 1u) && std::memcmp(in[lane], in[other], sizeof(uint64_t)) == 0) same |= 1u << other;
          }
          std::memcpy(out[lane], &same, sizeof(same));
        }
      },
      place);
  return equal;
}

namespace {

struct ShuffledValue {
  std::byte value[8];
  int source;
};

}  // namespace

void ShuffleBytes(unsigned int mask, void* value, size_t bytes, int source, const Place& place) {
  if (source < 0 || source >= kWarpLanes || !(mask >> source & 1u)) {
    FailThread("takes the value of lane " + std::to_string(source) + ", which its shuffle's mask leaves out");
  }
  ShuffledValue own{};
  std::memcpy(own.value, value, bytes);
  own.source = source;
  MeetInWarp(
      "shuffle", mask, &own, sizeof(own), value, bytes,
      [mask](const std::byte(*in)[kExchangeBytes], std::byte(*out)[kExchangeBytes]) {
        for (int lane = 0; lane < kWarpLanes; ++lane) {
          if (!(mask >> lane & 1u)) continue;
          ShuffledValue taker;
          std::memcpy(&taker, in[lane], sizeof(taker));
          std::memcpy(out[lane], in[taker.source], sizeof(taker.value));
        }
      },
      place);
}

}  // namespace emulated
