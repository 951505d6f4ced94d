#include "addon/runs.h"

#include <limits>

#include "addon/arguments.h"
#include "addon/dataset_object.h"
#include "addon/float_array.h"

namespace slim::addon {
namespace {

/// `object`, and in it how the run ended.
template <class Outcome>
Napi::Object WithEnd(Napi::Object object, const Outcome& outcome) {
  object.Set("aborted", outcome.aborted);
  object.Set("streamed", outcome.streamed);
  return object;
}

Napi::Object OutcomeObject(Napi::Env env, RunMetrics& metrics) { return WithEnd(MetricsObject(env, metrics), metrics); }

Napi::Object OutcomeObject(Napi::Env env, Prediction& prediction) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("outputs", FloatArray(env, std::move(prediction.outputs)));
  return WithEnd(object, prediction);
}

Napi::Object OutcomeObject(Napi::Env env, Gradients& gradients) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("gradients", FloatArray(env, std::move(gradients.parameters)));
  const bool has_input = gradients.input.size() > 0;
  object.Set("input", has_input ? Napi::Value(FloatArray(env, std::move(gradients.input))) : env.Null());
  object.Set("loss", gradients.loss);
  return WithEnd(object, gradients);
}

/// A run of jobs.h.
template <class Request, class Outcome, Outcome (*kRun)(Model&, const Request&, const RunListener&)>
class RunJob final : public Job {
 public:
  explicit RunJob(Request request) : request_(std::move(request)) {}

  void Run(Model& model, const RunListener& listener) override {
    // The run lets go of its data set when it ends, before it is told, so that whoever then disposes of the data set
    // was the last to hold it.
    const Request request = std::move(request_);
    outcome_ = kRun(model, request, listener);
  }
  Napi::Value Result(Napi::Env env) override { return OutcomeObject(env, outcome_); }

 private:
  Request request_;
  Outcome outcome_;
};

using TrainRun = RunJob<TrainJob, RunMetrics, Train>;
using EvaluateRun = RunJob<RowRange, RunMetrics, Evaluate>;
using PredictRun = RunJob<RowRange, Prediction, Predict>;
using GradientsRun = RunJob<GradientJob, Gradients, ComputeGradients>;

RowRange ReadRows(const Napi::Object& from) {
  RowRange rows;
  rows.begin = ReadInteger(from, "begin", 0, kMostSize);
  rows.end = ReadInteger(from, "end", 0, kMostSize);
  rows.batch_size = ReadInteger(from, "batchSize", 1, kMostSize);
  rows.data = DatasetObject::From(from.Get("data"));
  return rows;
}

}  // namespace

std::unique_ptr<Job> ReadTrainRun(const Napi::Value& value) {
  const Napi::Object from = ReadObject(value, "job");
  TrainJob job;
  job.epoch = static_cast<uint32_t>(ReadInteger(from, "epoch", 0, std::numeric_limits<uint32_t>::max()));
  job.shuffle = ReadBoolean(from, "shuffle");
  job.learning_rate = ReadFloat(from, "learningRate");
  job.first_step = ReadInteger(from, "firstStep", 0, kMostSize);
  job.max_steps = ReadInteger(from, "maxSteps", 0, kMostSize);
  const Napi::Value class_weights = from.Get("classWeights");
  job.rows = ReadRows(from);
  // Last, since a view is valid only until JavaScript runs again.
  if (!class_weights.IsUndefined()) {
    const View<float> weights = ReadFloats(class_weights, "classWeights");
    job.class_weights.assign(weights.data, weights.data + weights.size);
  }
  return std::make_unique<TrainRun>(std::move(job));
}

std::unique_ptr<Job> ReadEvaluateRun(const Napi::Value& rows) {
  return std::make_unique<EvaluateRun>(ReadRows(ReadObject(rows, "rows")));
}

std::unique_ptr<Job> ReadPredictRun(const Napi::Value& rows) {
  return std::make_unique<PredictRun>(ReadRows(ReadObject(rows, "rows")));
}

std::unique_ptr<Job> ReadGradientsRun(const Napi::Value& rows, const Napi::Value& options) {
  const Napi::Object from = ReadObject(options, "options");
  GradientJob job;
  job.training = ReadBoolean(from, "training");
  job.input = ReadBoolean(from, "input");
  job.rows = ReadRows(ReadObject(rows, "rows"));
  return std::make_unique<GradientsRun>(std::move(job));
}

}  // namespace slim::addon
