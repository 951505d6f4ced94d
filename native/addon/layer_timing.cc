#include "addon/layer_timing.h"

#include <algorithm>

#include "addon/arguments.h"
#include "addon/dataset_object.h"
#include "addon/guarded.h"
#include "addon/job.h"
#include "addon/spec_reader.h"
#include "addon/state.h"
#include "program/layer_timing.h"

namespace slim::addon {
namespace {

constexpr uint32_t kMostModels = 1000;

Napi::Float64Array DoubleArray(Napi::Env env, const std::vector<double>& values) {
  Napi::Float64Array array = Napi::Float64Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

class TimingRun final : public Job {
 public:
  explicit TimingRun(TimingJob job) : job_(std::move(job)) {}

  void Run(Model& model, const RunListener& listener) override {
    timings_ = slim::TimeLayers(model.backend(), job_, listener);
  }

  Napi::Value Result(Napi::Env env) override {
    Napi::Array models = Napi::Array::New(env, timings_.models.size());
    for (uint32_t i = 0; i < timings_.models.size(); ++i) {
      Napi::Object times = Napi::Object::New(env);
      times.Set("forward", DoubleArray(env, timings_.models[i].forward));
      times.Set("training", DoubleArray(env, timings_.models[i].training));
      models[i] = times;
    }
    Napi::Object object = Napi::Object::New(env);
    object.Set("device", timings_.device);
    object.Set("models", models);
    object.Set("aborted", timings_.aborted);
    return object;
  }

 private:
  TimingJob job_;
  Timings timings_;
};

TimingJob ReadTimingJob(const Napi::Value& specs, const Napi::Object& options) {
  TimingJob job;
  if (!specs.IsArray() || specs.As<Napi::Array>().Length() > kMostModels) {
    RejectValue("an array of at most " + std::to_string(kMostModels) + " specifications", "specs", specs);
  }
  const Napi::Array array = specs.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::HandleScope scope(specs.Env());
    job.models.push_back(ReadModelSpec(array.Get(i)));
  }
  job.batch = ReadInteger(options, "batch", 1, kMostSize);
  job.input_gradient = ReadBoolean(options, "inputGradient");
  job.warmups = ReadInteger(options, "warmups", 0, kMostSize);
  job.rounds = ReadInteger(options, "rounds", 1, kMostSize);
  job.seed = static_cast<uint64_t>(ReadInteger(options, "seed", 0, kMostSafeInteger));
  const Napi::Value data = options.Get("data");
  if (!data.IsNull()) job.data = DatasetObject::From(data);
  return job;
}

/// An engine for its thread and its device alone: the model in it has no weights and is never run.
std::shared_ptr<Engine> EngineOf(Napi::Env env, const DeviceRequest& device) {
  ModelSpec spec;
  spec.input_shape = {1};
  spec.layers.push_back({"nothing", FlattenSpec{}, {}});
  return std::make_shared<Engine>(env.GetInstanceData<State>()->engines,
                                  [&] { return std::make_unique<Model>(std::move(spec), OpenDevice(device), 0); });
}

}  // namespace

Napi::Value TimeLayers(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    const Napi::Object options = ReadObject(info[1], "options");
    const DeviceRequest device = ReadDeviceRequest(options);
    auto run = std::make_unique<TimingRun>(ReadTimingJob(info[0], options));
    const Napi::Value on_progress = info[2];
    if (!on_progress.IsFunction() && !on_progress.IsNull())
      RejectValue("a function or null", "onProgress", on_progress);

    const std::shared_ptr<Engine> engine = EngineOf(env, device);
    Napi::Object object = Napi::Object::New(env);
    object.Set("dispose", Napi::Function::New(env, [engine](const Napi::CallbackInfo&) { engine->Dispose(); }));
    object.Set("result", Job::Start(env, engine, std::move(run), on_progress));
    return object;
  });
}

}  // namespace slim::addon
