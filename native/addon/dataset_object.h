#pragma once

#include <napi.h>

#include <memory>

#include "program/dataset.h"

namespace slim::addon {

/// NativeDataset of src/native.ts.
class DatasetObject : public Napi::ObjectWrap<DatasetObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  /// createDataset(options).
  static Napi::Value Create(const Napi::CallbackInfo& info);
  /// The data set behind a value, shared: it lives on in a run when JavaScript disposes of it. Throws Error
  /// (kInvalidArgument, kDisposed) for any other value.
  static std::shared_ptr<Dataset> From(const Napi::Value& value);

  explicit DatasetObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value AppendInputs(const Napi::CallbackInfo& info);
  Napi::Value AppendTargets(const Napi::CallbackInfo& info);
  void Dispose(const Napi::CallbackInfo& info);

  Dataset& Data() const;

  std::shared_ptr<Dataset> data_;
};

}  // namespace slim::addon
