#pragma once

#include <napi.h>

#include <memory>

#include "addon/job.h"

/// The four kinds of run, read from their arguments. Throws Error (kInvalidArgument, kDisposed).
namespace slim::addon {

std::unique_ptr<Job> ReadTrainRun(const Napi::Value& job);
std::unique_ptr<Job> ReadEvaluateRun(const Napi::Value& rows);
std::unique_ptr<Job> ReadPredictRun(const Napi::Value& rows);
std::unique_ptr<Job> ReadGradientsRun(const Napi::Value& rows, const Napi::Value& options);

}  // namespace slim::addon
