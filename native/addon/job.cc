#include "addon/job.h"

#include "addon/guarded.h"

namespace slim::addon {

/// What crosses from the engine's thread; only the addresses count.
struct Job::Message {
  static Message progress;
  static Message done;
};
Job::Message Job::Message::progress;
Job::Message Job::Message::done;

Napi::Object MetricsObject(Napi::Env env, const RunMetrics& metrics) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("steps", static_cast<double>(metrics.steps));
  object.Set("samples", metrics.samples);
  object.Set("loss", metrics.loss);
  object.Set("accuracy", metrics.accuracy);
  object.Set("topK", metrics.top_k);
  return object;
}

Napi::Promise Job::Start(Napi::Env env, const std::shared_ptr<Engine>& engine, std::unique_ptr<Job> job,
                         const Napi::Value& on_progress) {
  Job* const running = job.get();
  running->engine_ = engine;
  running->wants_progress_ = on_progress.IsFunction();
  running->promise_.emplace(Napi::Promise::Deferred::New(env));
  const napi_value function = running->wants_progress_ ? static_cast<napi_value>(on_progress) : nullptr;
  const napi_status status =
      napi_create_threadsafe_function(env, function, nullptr, Napi::String::New(env, "slim-lstm run"), 0, 1, running,
                                      OnFinalize, running, OnMessage, &running->function_);
  if (status != napi_ok) throw Napi::Error::New(env);
  // From here on the function owns the job and deletes it in OnFinalize.
  static_cast<void>(job.release());
  const Napi::Promise promise = running->promise_->Promise();
  engine->Begin();
  engine->Post([running] { running->RunOnEngine(); });
  return promise;
}

void Job::RunOnEngine() {
  RunListener listener{&engine_->abort_flag(), {}};
  if (wants_progress_) listener.progress = [this](const RunMetrics& metrics) { Tell(metrics); };
  try {
    engine_->Use([&](Model& model) { Run(model, listener); });
  } catch (const Error& error) {
    error_code_ = error.Code();
    error_message_ = error.what();
  } catch (const std::bad_alloc&) {
    error_code_ = "ERR_OUT_OF_MEMORY";
    error_message_ = "Memory for the engine's own records cannot be had";
  } catch (const std::exception& error) {
    error_code_ = "ERR_DEVICE";
    error_message_ = error.what();
  }
  // The job may be deleted as soon as this thread has released the function.
  const napi_threadsafe_function function = function_;
  if (Send(&Message::done)) napi_release_threadsafe_function(function, napi_tsfn_release);
}

void Job::Tell(const RunMetrics& metrics) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    latest_ = metrics;
    if (pending_) return;
    pending_ = true;
  }
  Send(&Message::progress);
}

bool Job::Send(Message* message) {
  if (closing_) return false;
  closing_ = napi_call_threadsafe_function(function_, message, napi_tsfn_nonblocking) != napi_ok;
  return !closing_;
}

void Job::OnMessage(napi_env env, napi_value on_progress, void* context, void* message) {
  if (env == nullptr) return;  // the environment is going
  Job* const job = static_cast<Job*>(context);
  try {
    if (message == &Message::done) {
      job->Settle(env);
    } else {
      job->CallListener(env, on_progress);
    }
  } catch (...) {
    // A worker that is being ended runs no JavaScript any more, and every call fails: nobody is there to be told.
  }
}

void Job::CallListener(napi_env env, napi_value on_progress) {
  RunMetrics metrics;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    metrics = latest_;
    pending_ = false;
  }
  const Napi::HandleScope scope(env);
  napi_value undefined, argument = MetricsObject(env, metrics), result;
  napi_get_undefined(env, &undefined);
  if (napi_call_function(env, undefined, on_progress, 1, &argument, &result) == napi_ok) return;
  // src/native-errors.ts catches what its callers throw, so this is only met by those who call the addon itself.
  napi_value exception;
  napi_get_and_clear_last_exception(env, &exception);
  error_code_ = "ERR_INVALID_ARGUMENT";
  error_message_ = "Expected a listener of progress that does not throw but it threw";
  engine_->Abort();
}

void Job::Settle(napi_env env) {
  const Napi::HandleScope scope(env);
  engine_->End();
  try {
    if (error_code_.empty()) {
      promise_->Resolve(Translated(env, [&] { return Result(env); }));
    } else {
      promise_->Reject(MakeError(env, error_code_.c_str(), error_message_).Value());
    }
  } catch (const Napi::Error& error) {
    promise_->Reject(error.Value());
  }
}

void Job::OnFinalize(napi_env, void* job, void*) { delete static_cast<Job*>(job); }

}  // namespace slim::addon
