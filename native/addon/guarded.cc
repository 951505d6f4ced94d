#include "addon/guarded.h"

namespace slim::addon {

Napi::Error MakeError(Napi::Env env, const char* code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

void ThrowInJavaScript(const Napi::Error& error) noexcept {
  try {
    error.ThrowAsJavaScriptException();
  } catch (...) {
    // A worker that is being ended: nobody is there to be told.
  }
}

}  // namespace slim::addon
