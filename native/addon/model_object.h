#pragma once

#include <napi.h>

#include <memory>

#include "addon/engine.h"
#include "addon/job.h"

namespace slim::addon {

/// NativeModel of src/native.ts.
class ModelObject : public Napi::ObjectWrap<ModelObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  /// createModel(spec, options).
  static Napi::Value Create(const Napi::CallbackInfo& info);

  explicit ModelObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value Parameters(const Napi::CallbackInfo& info);
  Napi::Value ReadParameters(const Napi::CallbackInfo& info);
  void WriteParameters(const Napi::CallbackInfo& info);
  void Compile(const Napi::CallbackInfo& info);
  Napi::Value ReadOptimizer(const Napi::CallbackInfo& info);
  void WriteOptimizer(const Napi::CallbackInfo& info);
  Napi::Value Memory(const Napi::CallbackInfo& info);
  Napi::Value Train(const Napi::CallbackInfo& info);
  Napi::Value Evaluate(const Napi::CallbackInfo& info);
  Napi::Value Predict(const Napi::CallbackInfo& info);
  Napi::Value Gradients(const Napi::CallbackInfo& info);
  void Abort(const Napi::CallbackInfo& info);
  void Dispose(const Napi::CallbackInfo& info);

  /// The engine, which is neither disposed nor running; otherwise throws Error (kDisposed, kBusy).
  Engine& IdleEngine() const;
  Napi::Value Start(const Napi::CallbackInfo& info, std::unique_ptr<Job> job, const Napi::Value& on_progress);

  std::shared_ptr<Engine> engine_;
};

}  // namespace slim::addon
