#include "addon/engine.h"

#include <future>

namespace slim::addon {

void EngineRegistry::StopAll() {
  // All are told first, so that they end side by side.
  for (Engine* engine : engines_) engine->Abort();
  for (Engine* engine : engines_) engine->Stop();
}

void EngineRegistry::ReleaseUnusedData() {
  for (Engine* engine : engines_) engine->ReleaseUnusedData();
}

Engine::Engine(std::shared_ptr<EngineRegistry> registry, std::function<std::unique_ptr<Model>()> make)
    : registry_(std::move(registry)), thread_([this] { Loop(); }) {
  std::packaged_task<void()> task([&] { model_ = make(); });
  std::future<void> made = task.get_future();
  Push([&] { task(); });
  try {
    made.get();
  } catch (...) {
    Stop();
    throw;
  }
  registry_->Add(this);
}

Engine::~Engine() {
  registry_->Remove(this);
  Abort();
  Stop();
}

void Engine::Push(std::function<void()> task) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
}

void Engine::Call(const std::function<void(Model&)>& work) {
  std::packaged_task<void()> task([&] { Use(work); });
  std::future<void> done = task.get_future();
  Push([&] { task(); });
  done.get();
}

void Engine::Post(std::function<void()> work) { Push(std::move(work)); }

void Engine::Use(const std::function<void(Model&)>& work) {
  if (lost_) throw Error(*lost_);
  try {
    work(*model_);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kDeviceLost) lost_ = error;
    throw;
  }
}

void Engine::Begin() {
  busy_ = true;
  abort_.store(false, std::memory_order_relaxed);
}

void Engine::ReleaseUnusedData() {
  if (disposed_) return;
  Push([this] { model_->resident().ReleaseUnused(); });
}

void Engine::Dispose() {
  if (disposed_) return;
  disposed_ = true;
  Abort();
  Push([this] { model_.reset(); });
}

void Engine::Stop() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Engine::Loop() {
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
      if (tasks_.empty()) break;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
  // The device's memory is freed on the thread that used it.
  model_.reset();
}

}  // namespace slim::addon
