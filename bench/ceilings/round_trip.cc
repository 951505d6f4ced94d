#include "round_trip.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

namespace slim {
namespace {

constexpr uint32_t kRoundTrips = 10'000;
constexpr int kSamples = 2;

// Alone on its line, and on the one beside it, which processors fetch along.
struct alignas(128) Counter {
  std::atomic<uint32_t> value{0};
};

std::vector<int> AllowedProcessors() {
  std::vector<int> processors;
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return processors;
  for (int processor = 0; processor < CPU_SETSIZE; ++processor) {
    if (CPU_ISSET(processor, &allowed)) processors.push_back(processor);
  }
  return processors;
}

bool PinThisThread(int processor) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(processor, &only);
  return sched_setaffinity(0, sizeof(only), &only) == 0;
}

void AwaitValue(const Counter& counter, uint32_t expected) {
  while (counter.value.load(std::memory_order_acquire) != expected) {
  }
}

// Two threads that cannot be kept apart would wait for each other's time slices: then there is no sample.
std::optional<double> Sample(int here, int there) {
  Counter counter;
  std::atomic<int> pinned{0};
  std::atomic<bool> failed{false};
  double seconds = 0;
  const auto pass = [&](int processor, uint32_t first) {
    if (!PinThisThread(processor)) failed.store(true);
    pinned.fetch_add(1);
    while (pinned.load() < 2) std::this_thread::yield();
    if (failed.load()) return;
    const auto begin = std::chrono::steady_clock::now();
    for (uint32_t value = first; value < 2 * kRoundTrips; value += 2) {
      AwaitValue(counter, value);
      counter.value.store(value + 1, std::memory_order_release);
    }
    if (first == 0) seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  std::thread one(pass, here, 0);
  std::thread other(pass, there, 1);
  one.join();
  other.join();
  if (failed.load()) return std::nullopt;
  return 1e9 * seconds / kRoundTrips;
}

}  // namespace

std::optional<double> RoundTripNanoseconds() {
  const std::vector<int> processors = AllowedProcessors();
  if (processors.size() < 2) return std::nullopt;
  std::optional<double> least = Sample(processors[0], processors[1]);
  for (int sample = 1; sample < kSamples && least.has_value(); ++sample) {
    const std::optional<double> next = Sample(processors[0], processors[1]);
    least = next.has_value() ? std::min(*least, *next) : next;
  }
  return least;
}

}  // namespace slim
