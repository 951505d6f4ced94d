#include "addon/cuda_report.h"

#include <cstdint>
#include <span>
#include <string>

#include "addon/arguments.h"
#include "addon/cuda_library.h"
#include "addon/guarded.h"

namespace slim::addon {
namespace {

/// An empty text stands for what is not known, or not the case.
Napi::Value TextOrNull(Napi::Env env, const std::string& text) {
  if (text.empty()) return env.Null();
  return Napi::String::New(env, text);
}

/// CUDA's own number of a version, 1000 * major + 10 * minor, as text.
Napi::Value VersionOrNull(Napi::Env env, int version) {
  if (version == 0) return env.Null();
  return Napi::String::New(env, std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10));
}

template <class Item, class Convert>
Napi::Array ArrayOf(Napi::Env env, const std::vector<Item>& items, const Convert& convert) {
  Napi::Array array = Napi::Array::New(env, items.size());
  for (uint32_t i = 0; i < items.size(); ++i) array[i] = convert(env, items[i]);
  return array;
}

Napi::Object DeviceObject(Napi::Env env, const cuda::DeviceReport& device) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("index", device.index);
  object.Set("name", device.name);
  object.Set("computeCapability", std::to_string(device.major) + "." + std::to_string(device.minor));
  object.Set("multiprocessors", device.multiprocessors);
  object.Set("memory", static_cast<double>(device.memory));
  object.Set("precisions", ArrayOf(env, device.precisions, [](Napi::Env env, Precision precision) {
               return Napi::String::New(env, NameOf(precision));
             }));
  object.Set("reason", TextOrNull(env, device.reason));
  return object;
}

Napi::Object LibraryObject(Napi::Env env, const cuda::VendorLibraryReport& library) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("name", library.name);
  object.Set("version", TextOrNull(env, library.version));
  object.Set("path", TextOrNull(env, library.path));
  object.Set("reason", TextOrNull(env, library.reason));
  return object;
}

/// What is handed over of a packed library; empty where nothing is.
std::span<const uint8_t> Contents(const Napi::Value& value) {
  if (value.IsUndefined()) return {};
  const View<uint8_t> bytes = ReadBytes(value, "contents");
  return {bytes.data, static_cast<size_t>(bytes.size)};
}

}  // namespace

Napi::Value CudaReport(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    const CudaLibrary& library = OpenCudaLibrary(Contents(info[0]));
    Napi::Object object = Napi::Object::New(env);
    object.Set("path", TextOrNull(env, library.path));
    object.Set("opened", library.init != nullptr);
    object.Set("reason", TextOrNull(env, library.reason));
    object.Set("driver", TextOrNull(env, library.report.driver));
    object.Set("driverCuda", VersionOrNull(env, library.report.driver_version));
    object.Set("runtimeCuda", VersionOrNull(env, library.report.runtime_version));
    object.Set("architectures", TextOrNull(env, library.report.architectures));
    object.Set("devices", ArrayOf(env, library.report.devices, DeviceObject));
    object.Set("libraries", ArrayOf(env, library.report.libraries, LibraryObject));
    return object;
  });
}

Napi::Value PackedCuda(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    const std::string path = PackedCudaLibrary();
    if (path.empty()) return env.Null();
    Napi::Object object = Napi::Object::New(env);
    object.Set("path", path);
    object.Set("driver", HasCudaDriver());
    return object;
  });
}

}  // namespace slim::addon
