#pragma once

#include <napi.h>

#include <new>
#include <string>

#include "errors.h"

namespace slim::addon {

/// A JavaScript error with a `code`; src/native-errors.ts makes the class from it.
Napi::Error MakeError(Napi::Env env, const char* code, const std::string& message);

/// Runs `work`, turning the engine's errors into Napi::Error.
template <class Work>
auto Translated(Napi::Env env, const Work& work) {
  try {
    return work();
  } catch (const Error& error) {
    throw MakeError(env, error.Code(), error.what());
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw MakeError(env, "ERR_OUT_OF_MEMORY", "Memory for the engine's own records cannot be had");
  } catch (const std::exception& error) {
    throw MakeError(env, "ERR_DEVICE", error.what());
  }
}

/// Throws `error` in JavaScript, or does nothing where no JavaScript can run any more.
void ThrowInJavaScript(const Napi::Error& error) noexcept;

/// Runs the body of a function that JavaScript called; whatever it throws is thrown in JavaScript, and the result is
/// empty. Nothing leaves it: in a worker that is being ended every call of Node-API fails, that of throwing too, and
/// what node-addon-api then throws in its turn would end the process.
template <class Work>
auto Guarded(Napi::Env env, const Work& work) noexcept -> decltype(work()) {
  try {
    return Translated(env, work);
  } catch (const Napi::Error& error) {
    ThrowInJavaScript(error);
  } catch (...) {
    // The error itself could not be made.
  }
  return decltype(work())();
}

}  // namespace slim::addon
