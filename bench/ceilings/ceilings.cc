// The ceilings of a machine, which rooflines are drawn with: multiply-adds in registers, bytes from memory and
// activations in the first-level cache, per second, on one thread and on all.
//
//   bench_ceilings [--threads N,N...] [--samples N]
//   bench_ceilings --pace N
//
// Prints one JSON object. Each ceiling is the fastest of the samples: load from elsewhere only lowers it. The second
// form tells within some 20 milliseconds whether the machine runs as it can: the multiply-adds alone on N threads and,
// for more than one, the round trip of a cache line between two processors, which no ceiling depends on but threads'
// work does.
//
//   gflops       10^9 floating-point operations a second, two to a multiply-add
//   gigabytes    10^9 bytes a second of a[i] = b[i] + s c[i] over arrays that no cache holds, two reads and a write
//   activations  10^9 evaluations a second, of tanh and sigmoid in turn
//   roundTrip    nanoseconds; left out where there is one processor alone

#include "cpu/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "../bench/ceilings/ceilings.cc"
#include "hwy/foreach_target.h"
// Compiled once a target, so after foreach_target.h:
#include "cpu/math-inl.h"
#include "cpu/simd-inl.h"

#ifndef SLIM_CEILINGS_TABLE
#define SLIM_CEILINGS_TABLE
#include <cstddef>
namespace slim {
struct CeilingsTable {
  /// Multiplies and adds `rounds` times in every accumulator, and returns how many operations a round has.
  size_t (*multiply_add)(size_t rounds, float* result);
  /// a[i] = b[i] + 3 c[i]; count is a multiple of the vectors' length.
  void (*triad)(size_t count, const float* b, const float* c, float* a);
  /// The first half of x becomes its tanh, the second its sigmoid; count as above, twice.
  void (*activate)(size_t count, float* x);
};
}  // namespace slim
#endif

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {

// Enough to hide the latency of two units, few enough for sixteen registers.
inline constexpr size_t kAccumulators = 12;

size_t MultiplyAdd(size_t rounds, float* result) {
  Floats sums[kAccumulators];
  for (size_t i = 0; i < kAccumulators; ++i) sums[i] = hn::Set(kFloats, result[i]);
  const Floats factor = hn::Set(kFloats, result[0]);
  for (size_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (size_t i = 0; i < kAccumulators; ++i) sums[i] = hn::MulAdd(sums[i], factor, factor);
  }
  for (size_t i = 0; i < kAccumulators; ++i) result[i] = hn::GetLane(sums[i]);
  return 2 * kAccumulators * hn::Lanes(kFloats);
}

void Triad(size_t count, const float* b, const float* c, float* a) {
  const Floats factor = hn::Set(kFloats, 3.0f);
  for (size_t i = 0; i < count; i += kLanes) {
    hn::Store(hn::MulAdd(factor, hn::Load(kFloats, c + i), hn::Load(kFloats, b + i)), kFloats, a + i);
  }
}

void Activate(size_t count, float* x) {
  const size_t half = count / 2;
  for (size_t i = 0; i < half; i += kLanes) {
    hn::Store(Tanh(hn::Load(kFloats, x + i)), kFloats, x + i);
    hn::Store(Sigmoid(hn::Load(kFloats, x + half + i)), kFloats, x + half + i);
  }
}

extern const CeilingsTable kCeilingsTable;
const CeilingsTable kCeilingsTable = {MultiplyAdd, Triad, Activate};

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cpu/memory.h"
#include "round_trip.h"

namespace slim {
namespace {

SLIM_CHOOSE_TABLE(CeilingsTable, kCeilingsTable)

// 64 MB an array and thread: beyond the caches of the largest desktop processors.
constexpr size_t kStreamFloats = size_t{16} << 20;
constexpr size_t kActivationFloats = 4096;
constexpr size_t kMultiplyAddRounds = 2'000'000;
constexpr size_t kActivationRounds = 2'000;

// Seconds that `threads` threads take to run work(thread) at the same time.
double SecondsTogether(int threads, const std::function<void(int)>& work) {
  std::atomic<int> ready{0};
  std::atomic<bool> go{false};
  std::vector<std::thread> running;
  for (int thread = 0; thread < threads; ++thread) {
    running.emplace_back([&, thread] {
      ready.fetch_add(1);
      while (!go.load()) std::this_thread::yield();
      work(thread);
    });
  }
  while (ready.load() < threads) std::this_thread::yield();
  const auto begin = std::chrono::steady_clock::now();
  go.store(true);
  for (std::thread& thread : running) thread.join();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// 10^9 units of work a second, of the fastest sample.
double Best(int threads, int samples, double work_per_thread, const std::function<void(int)>& work) {
  double least = SecondsTogether(threads, work);
  for (int sample = 0; sample < samples; ++sample) least = std::min(least, SecondsTogether(threads, work));
  return 1e-9 * work_per_thread * threads / least;
}

double MultiplyAdds(int threads, int samples) {
  std::vector<AlignedBuffer> results;
  for (int thread = 0; thread < threads; ++thread) {
    results.emplace_back(64 * sizeof(float));
    std::fill_n(results.back().floats(), 64, 0.5f);
  }
  const size_t operations = ChosenCeilingsTable().multiply_add(1, results[0].floats());
  return Best(threads, samples, static_cast<double>(operations * kMultiplyAddRounds), [&](int thread) {
    ChosenCeilingsTable().multiply_add(kMultiplyAddRounds, results[static_cast<size_t>(thread)].floats());
  });
}

double Bytes(int threads, int samples) {
  std::vector<AlignedBuffer> arrays;
  for (int i = 0; i < 3 * threads; ++i) {
    arrays.emplace_back(kStreamFloats * sizeof(float));
    std::fill_n(arrays.back().floats(), kStreamFloats, 0.5f);
  }
  return Best(threads, samples, 3.0 * sizeof(float) * kStreamFloats, [&](int thread) {
    const size_t first = 3 * static_cast<size_t>(thread);
    ChosenCeilingsTable().triad(kStreamFloats, arrays[first].floats(), arrays[first + 1].floats(),
                                arrays[first + 2].floats());
  });
}

double Activations(int threads, int samples) {
  std::vector<AlignedBuffer> arrays;
  for (int thread = 0; thread < threads; ++thread) {
    arrays.emplace_back(kActivationFloats * sizeof(float));
    std::fill_n(arrays.back().floats(), kActivationFloats, 0.5f);
  }
  return Best(threads, samples, static_cast<double>(kActivationFloats * kActivationRounds), [&](int thread) {
    for (size_t round = 0; round < kActivationRounds; ++round) {
      ChosenCeilingsTable().activate(kActivationFloats, arrays[static_cast<size_t>(thread)].floats());
    }
  });
}

void PrintPace(int threads) {
  std::printf("{\"threads\": %d, \"gflops\": %.1f", threads, MultiplyAdds(threads, 1));
  const std::optional<double> round_trip = threads > 1 ? RoundTripNanoseconds() : std::nullopt;
  if (round_trip.has_value()) std::printf(", \"roundTrip\": %.1f", *round_trip);
  std::printf("}\n");
}

int Main(int count, char** arguments) {
  if (count == 3 && std::string(arguments[1]) == "--pace") {
    PrintPace(std::max(1, std::atoi(arguments[2])));
    return 0;
  }
  std::vector<int> threads;
  int samples = 9;
  for (int i = 1; i < count; ++i) {
    const std::string name = arguments[i];
    if (i + 1 < count && name == "--threads") {
      const std::string list = arguments[++i];
      for (size_t at = 0; at != std::string::npos; at = list.find(',', at)) {
        at += list[at] == ',';
        threads.push_back(std::max(1, std::atoi(list.c_str() + at)));
      }
    } else if (i + 1 < count && name == "--samples") {
      samples = std::max(1, std::atoi(arguments[++i]));
    } else {
      std::fprintf(stderr, "Expected --threads N,N..., --samples N or --pace N alone but received %s\n", name.c_str());
      return 2;
    }
  }
  if (threads.empty()) {
    threads.push_back(1);
    const int cores = static_cast<int>(std::thread::hardware_concurrency());
    if (cores > 1) threads.push_back(cores);
  }
  std::printf("{\"target\": \"%s\", \"ceilings\": [", NameOf(ChosenCpuTarget()));
  for (size_t i = 0; i < threads.size(); ++i) {
    std::printf("%s{\"threads\": %d, \"gflops\": %.1f, \"gigabytes\": %.2f, \"activations\": %.3f}", i == 0 ? "" : ", ",
                threads[i], MultiplyAdds(threads[i], samples), Bytes(threads[i], samples),
                Activations(threads[i], samples));
  }
  std::printf("]}\n");
  return 0;
}

}  // namespace
}  // namespace slim

int main(int count, char** arguments) { return slim::Main(count, arguments); }

#endif  // HWY_ONCE
