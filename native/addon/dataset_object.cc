#include "addon/dataset_object.h"

#include "addon/arguments.h"
#include "addon/guarded.h"
#include "addon/state.h"

namespace slim::addon {
namespace {

constexpr napi_type_tag kTag = {0x6b1de0a3c7f44d0eULL, 0x9a52c1f0d3b84e77ULL};

}  // namespace

Napi::Function DatasetObject::Define(Napi::Env env) {
  return DefineClass(env, "NativeDataset",
                     {InstanceMethod<&DatasetObject::AppendInputs>("appendInputs"),
                      InstanceMethod<&DatasetObject::AppendTargets>("appendTargets"),
                      InstanceMethod<&DatasetObject::Dispose>("dispose")});
}

Napi::Value DatasetObject::Create(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Object options = ReadObject(info[0], "options");
    DatasetShape shape;
    shape.rows = ReadInteger(options, "rows", 1, kMostSize);
    shape.input_width = ReadInteger(options, "inputWidth", 1, kMostSize);
    shape.vocabulary = ReadInteger(options, "vocabulary", 0, kMostSize);
    shape.target_width = ReadInteger(options, "targetWidth", 0, kMostSize);
    shape.classes = ReadInteger(options, "classes", 0, kMostSize);
    State& state = *info.Env().GetInstanceData<State>();
    state.new_dataset = std::make_shared<Dataset>(shape);
    return state.dataset_class.New({});
  });
}

DatasetObject::DatasetObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<DatasetObject>(info) {
  data_ = std::move(info.Env().GetInstanceData<State>()->new_dataset);
  if (data_ == nullptr) {
    throw MakeError(info.Env(), "ERR_INVALID_ARGUMENT", "Expected createDataset() to make a data set but received new");
  }
  info.This().As<Napi::Object>().TypeTag(&kTag);
}

std::shared_ptr<Dataset> DatasetObject::From(const Napi::Value& value) {
  if (value.Type() != napi_object || !value.As<Napi::Object>().CheckTypeTag(&kTag)) {
    RejectValue("a data set of createDataset()", "data", value);
  }
  const DatasetObject* object = Unwrap(value.As<Napi::Object>());
  object->Data();
  return object->data_;
}

Dataset& DatasetObject::Data() const {
  if (data_ == nullptr) throw Error(ErrorCode::kDisposed, "Expected a data set that is in use but it was disposed of");
  return *data_;
}

Napi::Value DatasetObject::AppendInputs(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&]() -> Napi::Value {
    int64_t bad;
    if (IsInts(info[0])) {
      const View<int32_t> values = ReadInts(info[0], "inputs");
      bad = Data().AppendInputs(values.data, values.size);
    } else {
      const View<float> values = ReadFloats(info[0], "inputs");
      bad = Data().AppendInputs(values.data, values.size);
    }
    return Napi::Number::New(info.Env(), static_cast<double>(bad));
  });
}

Napi::Value DatasetObject::AppendTargets(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&]() -> Napi::Value {
    int64_t bad;
    if (IsInts(info[0])) {
      const View<int32_t> values = ReadInts(info[0], "targets");
      bad = Data().AppendTargets(values.data, values.size);
    } else {
      const View<float> values = ReadFloats(info[0], "targets");
      bad = Data().AppendTargets(values.data, values.size);
    }
    return Napi::Number::New(info.Env(), static_cast<double>(bad));
  });
}

void DatasetObject::Dispose(const Napi::CallbackInfo& info) {
  data_.reset();
  info.Env().GetInstanceData<State>()->engines->ReleaseUnusedData();
}

}  // namespace slim::addon
