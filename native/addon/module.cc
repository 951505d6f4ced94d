#include <napi.h>

#include "addon/cuda_report.h"
#include "addon/dataset_object.h"
#include "addon/dropout_mask.h"
#include "addon/guarded.h"
#include "addon/layer_timing.h"
#include "addon/model_object.h"
#include "addon/state.h"
#include "cpu/cpu_backend.h"

namespace slim::addon {
namespace {

/// Raised with every change of the interfaces in src/native.ts.
constexpr int kApiVersion = 6;

Napi::Value Cpu(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&]() -> Napi::Value {
    const CpuDescription description = CpuInfo();
    Napi::Object object = Napi::Object::New(info.Env());
    object.Set("target", description.target);
    object.Set("cores", description.cores);
    return object;
  });
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  auto* state = new State;
  env.SetInstanceData(state);
  // Runs before the environment's objects are finalized: a thread that still ran could call into what is gone.
  env.AddCleanupHook([engines = state->engines] { engines->StopAll(); });
  state->model_class = Napi::Persistent(ModelObject::Define(env));
  state->dataset_class = Napi::Persistent(DatasetObject::Define(env));

  exports.Set("apiVersion", kApiVersion);
  exports.Set("cpu", Napi::Function::New<Cpu>(env, "cpu"));
  exports.Set("cuda", Napi::Function::New<CudaReport>(env, "cuda"));
  exports.Set("packedCuda", Napi::Function::New<PackedCuda>(env, "packedCuda"));
  exports.Set("createModel", Napi::Function::New<ModelObject::Create>(env, "createModel"));
  exports.Set("createDataset", Napi::Function::New<DatasetObject::Create>(env, "createDataset"));
  exports.Set("timeLayers", Napi::Function::New<TimeLayers>(env, "timeLayers"));
  exports.Set("dropoutMask", Napi::Function::New<DropoutMask>(env, "dropoutMask"));
  return exports;
}

}  // namespace

NODE_API_MODULE(slim_lstm, Init)

}  // namespace slim::addon
