#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "errors.h"
#include "program/model.h"

namespace slim::addon {

class Engine;

/// The engines of one JavaScript environment, so that their threads can be ended before it goes. Used on its thread
/// only.
class EngineRegistry {
 public:
  void Add(Engine* engine) { engines_.insert(engine); }
  void Remove(Engine* engine) { engines_.erase(engine); }
  /// Has every model let go of what it holds of data sets that are gone, when it is next idle.
  void ReleaseUnusedData();
  /// Ends every engine's run and joins its thread.
  void StopAll();

 private:
  std::set<Engine*> engines_;
};

/// A model and the thread that alone touches it. Its methods are called on the environment's thread.
class Engine {
 public:
  /// Makes the model on the engine's thread and waits for it; throws what that throws.
  Engine(std::shared_ptr<EngineRegistry> registry, std::function<std::unique_ptr<Model>()> make);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Runs `work` on the thread and waits; throws what it throws. Only while no job is running.
  void Call(const std::function<void(Model&)>& work);
  /// Runs `work` on the thread and returns at once. `work` throws nothing; it reaches the model by Use.
  void Post(std::function<void()> work);

  /// Calls `work` with the model; on the engine's thread only. Once it threw that the device is lost, it throws that at
  /// every later use and calls nothing.
  void Use(const std::function<void(Model&)>& work);

  /// What a run looks at before each step.
  const std::atomic<bool>& abort_flag() const { return abort_; }
  void Abort() { abort_.store(true, std::memory_order_relaxed); }

  /// A job is running, from its start to its settling; one at a time.
  bool busy() const { return busy_; }
  void Begin();
  void End() { busy_ = false; }

  /// Has the model let go of what it holds of data sets that are gone, without waiting.
  void ReleaseUnusedData();

  /// Ends the running job, then frees the model, without waiting.
  void Dispose();
  bool disposed() const { return disposed_; }

  /// Ends the running job and the thread, and waits.
  void Stop();

 private:
  void Loop();
  void Push(std::function<void()> task);

  std::shared_ptr<EngineRegistry> registry_;
  std::unique_ptr<Model> model_;
  std::optional<Error> lost_;
  std::atomic<bool> abort_{false};
  bool busy_ = false;
  bool disposed_ = false;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace slim::addon
