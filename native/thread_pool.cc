#include "thread_pool.h"

#include <string>
#include <utility>

#if defined(__SSE__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

#include "errors.h"
#include "spin_wait.h"

namespace slim {
namespace {

// The pool whose task this thread is running, and as which worker.
struct Place {
  const ThreadPool* pool = nullptr;
  int worker = 0;
};
thread_local Place current_place;

class Enter {
 public:
  explicit Enter(Place place) : saved_(current_place) { current_place = place; }
  ~Enter() { current_place = saved_; }
  Enter(const Enter&) = delete;
  Enter& operator=(const Enter&) = delete;

 private:
  Place saved_;
};

}  // namespace

#if defined(__SSE__) || defined(_M_X64)
FlushDenormals::FlushDenormals() noexcept : saved_(_mm_getcsr()) {
  constexpr unsigned kFlushToZero = 0x8000;
  constexpr unsigned kDenormalsAreZero = 0x0040;
  _mm_setcsr(static_cast<unsigned>(saved_) | kFlushToZero | kDenormalsAreZero);
}
FlushDenormals::~FlushDenormals() { _mm_setcsr(static_cast<unsigned>(saved_)); }
#elif defined(__aarch64__)
FlushDenormals::FlushDenormals() noexcept {
  constexpr uint64_t kFlushToZero = uint64_t{1} << 24;
  asm volatile("mrs %0, fpcr" : "=r"(saved_));
  asm volatile("msr fpcr, %0" : : "r"(saved_ | kFlushToZero));
}
FlushDenormals::~FlushDenormals() { asm volatile("msr fpcr, %0" : : "r"(saved_)); }
#else
FlushDenormals::FlushDenormals() noexcept : saved_(0) {}
FlushDenormals::~FlushDenormals() = default;
#endif

ThreadPool::ThreadPool(int threads) : spin_(static_cast<unsigned>(threads) <= std::thread::hardware_concurrency()) {
  if (threads < 1) {
    throw Error(ErrorCode::kInvalidArgument,
                "Expected a positive integer for threads but received " + std::to_string(threads));
  }
  workers_.reserve(static_cast<size_t>(threads) - 1);
  try {
    for (int worker = 1; worker < threads; ++worker) {
      workers_.emplace_back([this, worker] { WorkerLoop(worker); });
    }
  } catch (...) {
    JoinAll();
    throw;
  }
}

ThreadPool::~ThreadPool() { JoinAll(); }

void ThreadPool::JoinAll() noexcept {
  stopping_.store(true);
  epoch_.fetch_add(1);
  epoch_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::ParallelFor(size_t tasks, TaskFunction function) {
  if (tasks == 0) return;
  if (tasks > UINT32_MAX) {
    throw Error(ErrorCode::kInvalidArgument,
                "Expected at most 4294967295 tasks for a region but received " + std::to_string(tasks));
  }
  if (current_place.pool == this) {
    RunInline(tasks, function, current_place.worker);
    return;
  }

  const std::lock_guard<std::mutex> turn(region_mutex_);
  const FlushDenormals flush;
  const Enter enter(Place{this, 0});
  if (workers_.empty() || tasks == 1) {
    RunInline(tasks, function, 0);
    return;
  }

  exception_ = nullptr;
  tasks_ = static_cast<uint32_t>(tasks);
  function_ = &function;
  unfinished_.store(tasks_, std::memory_order_relaxed);
  const uint32_t epoch = epoch_.load(std::memory_order_relaxed) + 1;
  unclaimed_.store(uint64_t{epoch} << 32 | tasks_, std::memory_order_release);
  WakeWorkers(tasks_);
  RunTasks(epoch, 0);
  WaitForTasks();
  if (exception_) std::rethrow_exception(std::exchange(exception_, nullptr));
}

void ThreadPool::RunInline(size_t tasks, TaskFunction function, int worker) {
  std::exception_ptr first;
  for (size_t task = 0; task < tasks; ++task) {
    try {
      function(task, worker);
    } catch (...) {
      if (!first) first = std::current_exception();
    }
  }
  if (first) std::rethrow_exception(first);
}

void ThreadPool::WakeWorkers(uint32_t tasks) {
  epoch_.fetch_add(1);
  if (tasks > workers_.size()) {
    epoch_.notify_all();
  } else {
    for (uint32_t helper = 1; helper < tasks; ++helper) epoch_.notify_one();
  }
}

void ThreadPool::RunTasks(uint32_t epoch, int worker) {
  uint64_t seen = unclaimed_.load(std::memory_order_acquire);
  while (static_cast<uint32_t>(seen >> 32) == epoch && static_cast<uint32_t>(seen) != 0) {
    if (!unclaimed_.compare_exchange_weak(seen, seen - 1, std::memory_order_acq_rel, std::memory_order_acquire))
      continue;
    // From here until the task is counted as finished the region cannot end, so its fields stand still.
    const uint32_t task = tasks_ - static_cast<uint32_t>(seen);
    try {
      (*function_)(task, worker);
    } catch (...) {
      KeepException(task);
    }
    if (unfinished_.fetch_sub(1) == 1) unfinished_.notify_all();
    seen = unclaimed_.load(std::memory_order_acquire);
  }
}

void ThreadPool::KeepException(uint32_t task) noexcept {
  const std::lock_guard<std::mutex> lock(exception_mutex_);
  if (exception_ && exception_task_ < task) return;
  exception_ = std::current_exception();
  exception_task_ = task;
}

void ThreadPool::WaitForTasks() {
  const auto finished = [this] { return unfinished_.load(std::memory_order_acquire) == 0; };
  if (spin_ ? SpinUntil(finished) : finished()) return;
  for (uint32_t left; (left = unfinished_.load(std::memory_order_acquire)) != 0;) unfinished_.wait(left);
}

void ThreadPool::WorkerLoop(int worker) {
  const FlushDenormals flush;
  const Enter enter(Place{this, worker});
  uint32_t known = 0;
  while (true) {
    const auto changed = [&] { return epoch_.load(std::memory_order_acquire) != known; };
    if (!(spin_ ? SpinUntil(changed) : changed())) epoch_.wait(known);
    known = epoch_.load(std::memory_order_acquire);
    if (stopping_.load()) return;
    RunTasks(known, worker);
  }
}

}  // namespace slim
