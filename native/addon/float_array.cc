#include "addon/float_array.h"

#include <cstring>
#include <memory>

namespace slim::addon {

Napi::Float32Array FloatArray(Napi::Env env, HostArray<float> values) {
  const size_t count = values.size();
  if (count == 0) return Napi::Float32Array::New(env, 0);
  auto owner = std::make_unique<HostArray<float>>(std::move(values));
  napi_value buffer;
  const napi_status status = napi_create_external_arraybuffer(
      env, owner->data(), owner->bytes(),
      [](napi_env, void*, void* array) { delete static_cast<HostArray<float>*>(array); }, owner.get(), &buffer);
  if (status == napi_ok) {
    static_cast<void>(owner.release());
    return Napi::Float32Array::New(env, count, Napi::ArrayBuffer(env, buffer), 0);
  }
  Napi::Float32Array copy = Napi::Float32Array::New(env, count);
  std::memcpy(copy.Data(), owner->data(), owner->bytes());
  return copy;
}

}  // namespace slim::addon
