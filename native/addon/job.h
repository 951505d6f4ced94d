#pragma once

#include <napi.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "addon/engine.h"
#include "program/jobs.h"

namespace slim::addon {

/// A run on an engine's thread that settles a promise. Progress is coalesced: while JavaScript has not yet taken the
/// latest, newer progress takes its place, so at most one call is pending however slow JavaScript is.
class Job {
 public:
  virtual ~Job() = default;

  /// On the engine's thread. Throws what the run throws.
  virtual void Run(Model& model, const RunListener& listener) = 0;
  /// On the environment's thread, after Run.
  virtual Napi::Value Result(Napi::Env env) = 0;

  /// Starts the job; the engine must be neither disposed nor busy. `on_progress` is a function or null; it is called
  /// with an object of NativeProgress.
  static Napi::Promise Start(Napi::Env env, const std::shared_ptr<Engine>& engine, std::unique_ptr<Job> job,
                             const Napi::Value& on_progress);

 private:
  struct Message;

  void RunOnEngine();
  void Tell(const RunMetrics& metrics);
  /// False where the environment is going: then the function must not be used again.
  bool Send(Message* message);
  void CallListener(napi_env env, napi_value on_progress);
  void Settle(napi_env env);

  static void OnMessage(napi_env env, napi_value on_progress, void* context, void* message);
  static void OnFinalize(napi_env env, void* job, void* hint);

  std::shared_ptr<Engine> engine_;
  std::optional<Napi::Promise::Deferred> promise_;
  napi_threadsafe_function function_ = nullptr;
  bool wants_progress_ = false;
  bool closing_ = false;  // the environment is going; on the engine's thread only

  std::mutex mutex_;
  RunMetrics latest_;
  bool pending_ = false;

  // Of a run that threw, or whose listener did.
  std::string error_code_;
  std::string error_message_;
};

/// An object of NativeMetrics with `steps`.
Napi::Object MetricsObject(Napi::Env env, const RunMetrics& metrics);

}  // namespace slim::addon
