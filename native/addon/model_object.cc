#include "addon/model_object.h"

#include <limits>

#include "addon/arguments.h"
#include "addon/float_array.h"
#include "addon/guarded.h"
#include "addon/runs.h"
#include "addon/spec_reader.h"
#include "addon/state.h"

namespace slim::addon {

Napi::Function ModelObject::Define(Napi::Env env) {
  return DefineClass(
      env, "NativeModel",
      {InstanceMethod<&ModelObject::Parameters>("parameters"),
       InstanceMethod<&ModelObject::ReadParameters>("readParameters"),
       InstanceMethod<&ModelObject::WriteParameters>("writeParameters"),
       InstanceMethod<&ModelObject::Compile>("compile"), InstanceMethod<&ModelObject::ReadOptimizer>("readOptimizer"),
       InstanceMethod<&ModelObject::WriteOptimizer>("writeOptimizer"), InstanceMethod<&ModelObject::Memory>("memory"),
       InstanceMethod<&ModelObject::Train>("train"), InstanceMethod<&ModelObject::Evaluate>("evaluate"),
       InstanceMethod<&ModelObject::Predict>("predict"), InstanceMethod<&ModelObject::Gradients>("gradients"),
       InstanceMethod<&ModelObject::Abort>("abort"), InstanceMethod<&ModelObject::Dispose>("dispose")});
}

Napi::Value ModelObject::Create(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&]() -> Napi::Value {
    ModelSpec spec = ReadModelSpec(info[0]);
    const Napi::Object options = ReadObject(info[1], "options");
    const DeviceRequest device = ReadDeviceRequest(options);
    const auto seed = static_cast<uint64_t>(ReadInteger(options, "seed", 0, kMostSafeInteger));
    State& state = *info.Env().GetInstanceData<State>();
    state.new_engine = std::make_shared<Engine>(
        state.engines, [&] { return std::make_unique<Model>(std::move(spec), OpenDevice(device), seed); });
    return state.model_class.New({});
  });
}

ModelObject::ModelObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ModelObject>(info) {
  engine_ = std::move(info.Env().GetInstanceData<State>()->new_engine);
  if (engine_ == nullptr) {
    throw MakeError(info.Env(), "ERR_INVALID_ARGUMENT", "Expected createModel() to make a model but received new");
  }
}

Engine& ModelObject::IdleEngine() const {
  if (engine_->disposed()) throw Error(ErrorCode::kDisposed, "Expected a model that is in use but it was disposed of");
  if (engine_->busy()) throw Error(ErrorCode::kBusy, "Expected an idle model but another run of it has not ended yet");
  return *engine_;
}

Napi::Value ModelObject::Parameters(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    std::vector<Parameter> parameters;
    IdleEngine().Call([&](Model& model) { parameters = model.program().layout().parameters(); });
    Napi::Array list = Napi::Array::New(env, parameters.size());
    for (uint32_t i = 0; i < parameters.size(); ++i) {
      const Parameter& parameter = parameters[i];
      Napi::Array shape = Napi::Array::New(env, parameter.shape.size());
      for (uint32_t k = 0; k < parameter.shape.size(); ++k) shape[k] = static_cast<double>(parameter.shape[k]);
      Napi::Object object = Napi::Object::New(env);
      object.Set("name", parameter.name);
      object.Set("shape", shape);
      object.Set("trainable", parameter.trainable);
      object.Set("offset", static_cast<double>(parameter.offset));
      object.Set("size", static_cast<double>(parameter.size));
      list[i] = object;
    }
    return list;
  });
}

Napi::Value ModelObject::ReadParameters(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&]() -> Napi::Value {
    HostArray<float> values;
    IdleEngine().Call([&](Model& model) {
      values = HostArray<float>(static_cast<size_t>(model.program().layout().floats()), "a copy of the weights");
      model.ReadParameters(values.data());
    });
    return FloatArray(info.Env(), std::move(values));
  });
}

void ModelObject::WriteParameters(const Napi::CallbackInfo& info) {
  Guarded(info.Env(), [&] {
    const int64_t offset = ReadInteger(info[0], "offset", 0, kMostSize);
    const View<float> values = ReadFloats(info[1], "values");
    IdleEngine().Call([&](Model& model) { model.WriteParameters(offset, values.data, values.size); });
  });
}

void ModelObject::Compile(const Napi::CallbackInfo& info) {
  Guarded(info.Env(), [&] {
    const TrainingSpec training = ReadTrainingSpec(info[0]);
    IdleEngine().Call([&](Model& model) { model.Compile(training); });
  });
}

Napi::Value ModelObject::ReadOptimizer(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&]() -> Napi::Value {
    HostArray<float> state;
    uint32_t iterations = 0;
    IdleEngine().Call([&](Model& model) {
      state = HostArray<float>(static_cast<size_t>(model.OptimizerFloats()), "a copy of the optimizer's state");
      model.ReadOptimizer(state.data());
      iterations = model.iterations();
    });
    Napi::Object object = Napi::Object::New(info.Env());
    object.Set("iterations", static_cast<double>(iterations));
    object.Set("state", FloatArray(info.Env(), std::move(state)));
    return object;
  });
}

void ModelObject::WriteOptimizer(const Napi::CallbackInfo& info) {
  Guarded(info.Env(), [&] {
    const auto iterations =
        static_cast<uint32_t>(ReadInteger(info[0], "iterations", 0, std::numeric_limits<uint32_t>::max()));
    const View<float> state = ReadFloats(info[1], "state");
    IdleEngine().Call([&](Model& model) { model.WriteOptimizer(iterations, state.data, state.size); });
  });
}

Napi::Value ModelObject::Memory(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&]() -> Napi::Value {
    Model::MemoryUse use{};
    IdleEngine().Call([&](Model& model) { use = model.Memory(); });
    Napi::Object object = Napi::Object::New(info.Env());
    object.Set("parameters", static_cast<double>(use.parameters));
    object.Set("gradients", static_cast<double>(use.gradients));
    object.Set("optimizer", static_cast<double>(use.optimizer));
    object.Set("activations", static_cast<double>(use.activations));
    object.Set("data", static_cast<double>(use.data));
    return object;
  });
}

Napi::Value ModelObject::Start(const Napi::CallbackInfo& info, std::unique_ptr<Job> job,
                               const Napi::Value& on_progress) {
  if (!on_progress.IsFunction() && !on_progress.IsNull() && !on_progress.IsUndefined()) {
    RejectValue("a function or null", "onProgress", on_progress);
  }
  IdleEngine();
  return Job::Start(info.Env(), engine_, std::move(job), on_progress);
}

Napi::Value ModelObject::Train(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] { return Start(info, ReadTrainRun(info[0]), info[1]); });
}

Napi::Value ModelObject::Evaluate(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] { return Start(info, ReadEvaluateRun(info[0]), info[1]); });
}

Napi::Value ModelObject::Predict(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] { return Start(info, ReadPredictRun(info[0]), info.Env().Null()); });
}

Napi::Value ModelObject::Gradients(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] { return Start(info, ReadGradientsRun(info[0], info[1]), info.Env().Null()); });
}

void ModelObject::Abort(const Napi::CallbackInfo&) { engine_->Abort(); }

void ModelObject::Dispose(const Napi::CallbackInfo&) { engine_->Dispose(); }

}  // namespace slim::addon
