#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace slim {

/// A reference to a callable `void(size_t task, int worker)`. It owns nothing and never allocates; the callable has to
/// outlive the call it is passed to, as a lambda written in place does.
class TaskFunction {
 public:
  template <class Callable>
  requires(!std::is_same_v<std::remove_cvref_t<Callable>, TaskFunction>)
      TaskFunction(Callable&& callable)  // NOLINT(google-explicit-constructor): lambdas are passed in place
      : callable_(const_cast<void*>(static_cast<const void*>(std::addressof(callable)))),
        call_([](void* target, size_t task, int worker) {
          (*static_cast<std::remove_reference_t<Callable>*>(target))(task, worker);
        }) {}

  void operator()(size_t task, int worker) const { call_(callable_, task, worker); }

 private:
  void* callable_;
  void (*call_)(void*, size_t, int);
};

/// Rounds denormal floats to zero on this thread while it lives, and puts the thread's mode back afterwards. Workers of
/// a pool are always in this mode; `ThreadPool::ParallelFor` puts its caller in it too.
class FlushDenormals {
 public:
  FlushDenormals() noexcept;
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  uint64_t saved_;
};

/// A fixed number of threads, the caller among them, that share out numbered tasks.
///
/// Which thread runs which task is left to chance, so a task's result must depend on its number alone; then results
/// do not depend on the number of threads either. Workers that find nothing to do spin for some microseconds and then
/// sleep, so an idle pool costs nothing.
class ThreadPool {
 public:
  /// `threads` >= 1 counts the caller: 1 makes no thread at all, and more than the machine has cores is allowed. Throws
  /// Error (kInvalidArgument) for other numbers and std::system_error where the system gives no more threads.
  explicit ThreadPool(int threads);

  /// Joins the workers. No region may be running.
  ~ThreadPool();

  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Whether threads that wait look for what they wait for before they sleep: each may have a core of its own.
  bool spins() const { return spin_; }

  /// Calls function(task, worker) once for each task in [0, tasks) and returns when all are done; at most 2^32 - 1
  /// tasks. `worker` lies in [0, threads()) and is held by one thread at a time: index scratch memory by it. Tasks are
  /// handed out in rising order, so put long ones first.
  ///
  /// If tasks throw, all tasks are run to the end and the exception of the lowest task is thrown here. A call from
  /// within a task runs inline, under the task's own worker number. Calls from several threads take turns. Allocates
  /// nothing.
  void ParallelFor(size_t tasks, TaskFunction function);

 private:
  void WorkerLoop(int worker);
  void RunTasks(uint32_t epoch, int worker);
  void RunInline(size_t tasks, TaskFunction function, int worker);
  void WakeWorkers(uint32_t tasks);
  void WaitForTasks();
  void KeepException(uint32_t task) noexcept;
  void JoinAll() noexcept;

  // The region's epoch (high half) and its tasks not yet handed out (low half). A task is claimed by lowering the low
  // half while the high half is the epoch the thread knows, so a thread that wakes late can never take a task of a
  // region other than the one it reads the fields of.
  alignas(64) std::atomic<uint64_t> unclaimed_{0};
  alignas(64) std::atomic<uint32_t> unfinished_{0};
  alignas(64) std::atomic<uint32_t> epoch_{0};
  std::atomic<bool> stopping_{false};

  // Of the running region; constant from its start to the end of its last task.
  uint32_t tasks_ = 0;
  const TaskFunction* function_ = nullptr;

  std::mutex exception_mutex_;
  std::exception_ptr exception_;
  uint32_t exception_task_ = 0;

  std::mutex region_mutex_;
  bool spin_;
  std::vector<std::thread> workers_;
};

}  // namespace slim
