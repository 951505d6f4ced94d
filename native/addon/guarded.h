#pragma once

#include <napi.h>

#include <new>
#include <string>

#include "errors.h"

namespace slim::addon {

/// A JavaScript error with a `code`; src/native.ts makes the class from it.
Napi::Error MakeError(Napi::Env env, const char* code, const std::string& message);

/// Runs `work`, turning the engine's errors into JavaScript's.
template <class Work>
auto Guarded(Napi::Env env, Work work) {
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

}  // namespace slim::addon
