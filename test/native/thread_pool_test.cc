#include "thread_pool.h"

#include <atomic>
#include <cfloat>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "errors.h"
#include "test.h"

namespace {

using slim::ThreadPool;

// Half the smallest normal float, computed where the optimizer cannot see it.
float HalfOfSmallest() {
  volatile float smallest = FLT_MIN;
  return smallest * 0.5f;
}

TEST("a region runs every task exactly once") {
  for (const int threads : {1, 2, 3, 16}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const size_t tasks : {size_t{0}, size_t{1}, size_t{2}, size_t{5}, size_t{1000}}) {
      std::vector<std::atomic<int>> runs(tasks);
      pool.ParallelFor(tasks, [&](size_t task, int) { ++runs[task]; });
      for (size_t task = 0; task < tasks; ++task) EXPECT_EQ(runs[task].load(), 1);
    }
  }
}

TEST("many short regions lose no task") {
  for (const int threads : {2, 5}) {
    ThreadPool pool(threads);
    size_t sum = 0;
    for (size_t region = 0; region < 20000; ++region) {
      size_t parts[4] = {};
      pool.ParallelFor(region % 4 + 1, [&](size_t task, int) { parts[task] = region + task; });
      for (size_t task = 0; task < region % 4 + 1; ++task) sum += parts[task] - region - task + 1;
    }
    EXPECT_EQ(sum, size_t{50000});
  }
}

TEST("sleeping workers wake for the next region") {
  ThreadPool pool(3);
  for (int region = 0; region < 20; ++region) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::atomic<int> waiting{3};
    // Each task waits for all to be taken, so all three threads must come.
    pool.ParallelFor(3, [&](size_t, int) {
      --waiting;
      while (waiting.load() > 0) std::this_thread::yield();
    });
    EXPECT_EQ(waiting.load(), 0);
  }
}

TEST("a worker number is in range and held by one thread at a time") {
  ThreadPool pool(4);
  std::atomic<bool> held[4] = {};
  std::atomic<int> clashes{0};
  pool.ParallelFor(2000, [&](size_t, int worker) {
    if (worker < 0 || worker >= 4 || held[worker].exchange(true)) {
      ++clashes;
      return;
    }
    std::this_thread::yield();
    held[worker] = false;
  });
  EXPECT_EQ(clashes.load(), 0);
}

TEST("the exception of the lowest task reaches the caller after all tasks ran") {
  for (const int threads : {1, 4}) {
    ThreadPool pool(threads);
    for (int repeat = 0; repeat < 50; ++repeat) {
      std::atomic<int> ran{0};
      std::string message;
      try {
        pool.ParallelFor(100, [&](size_t task, int) {
          ++ran;
          if (task % 10 == 7) throw std::runtime_error("task " + std::to_string(task));
        });
      } catch (const std::runtime_error& error) {
        message = error.what();
      }
      EXPECT_EQ(message, std::string("task 7"));
      EXPECT_EQ(ran.load(), 100);
    }
    int after = 0;
    pool.ParallelFor(1, [&](size_t, int) { ++after; });
    EXPECT_EQ(after, 1);
  }
}

TEST("a region within a task runs inline under the task's worker number") {
  ThreadPool pool(3);
  std::atomic<int> wrong{0};
  std::atomic<int> ran{0};
  pool.ParallelFor(8, [&](size_t, int outer) {
    const std::thread::id thread = std::this_thread::get_id();
    pool.ParallelFor(5, [&](size_t, int inner) {
      ++ran;
      if (inner != outer || std::this_thread::get_id() != thread) ++wrong;
    });
  });
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_EQ(ran.load(), 40);
}

TEST("callers on several threads take turns") {
  ThreadPool pool(2);
  std::atomic<int> total{0};
  std::vector<std::thread> callers;
  callers.reserve(3);
  for (int caller = 0; caller < 3; ++caller) {
    callers.emplace_back([&] {
      for (int region = 0; region < 500; ++region) pool.ParallelFor(4, [&](size_t, int) { ++total; });
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(total.load(), 3 * 500 * 4);
}

TEST("denormals are zero in tasks and the caller's mode comes back") {
  EXPECT(HalfOfSmallest() > 0.0f);
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    std::atomic<int> kept{0};
    pool.ParallelFor(64, [&](size_t, int) {
      if (HalfOfSmallest() != 0.0f) ++kept;
    });
    EXPECT_EQ(kept.load(), 0);
    EXPECT(HalfOfSmallest() > 0.0f);
  }
}

TEST("the caller's mode comes back when a task throws") {
  ThreadPool pool(2);
  EXPECT_THROWS(pool.ParallelFor(2, [](size_t, int) { throw std::runtime_error("stop"); }), std::runtime_error);
  EXPECT(HalfOfSmallest() > 0.0f);
}

TEST("pools come and go") {
  for (int repeat = 0; repeat < 200; ++repeat) {
    ThreadPool pool(1 + repeat % 5);
    if (repeat % 3 == 0) pool.ParallelFor(7, [](size_t, int) {});
  }
}

TEST("a number of threads below one is refused") {
  EXPECT_THROWS(ThreadPool(0), slim::Error);
  EXPECT_THROWS(ThreadPool(-3), slim::Error);
}

}  // namespace
