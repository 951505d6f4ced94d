#include "addon/runs.h"

#include <limits>

#include "addon/arguments.h"
#include "addon/dataset_object.h"
#include "addon/float_array.h"

namespace slim::addon {
namespace {

Napi::Object RunObject(Napi::Env env, const RunMetrics& metrics) {
  Napi::Object object = MetricsObject(env, metrics);
  object.Set("aborted", metrics.aborted);
  object.Set("streamed", metrics.streamed);
  return object;
}

// A run lets go of its data set when it ends, before it is told, so that whoever then disposes of the data set was the
// last to hold it.

class TrainRun final : public Job {
 public:
  explicit TrainRun(TrainJob job) : job_(std::move(job)) {}
  void Run(Model& model, const RunListener& listener) override {
    const TrainJob job = std::move(job_);
    metrics_ = Train(model, job, listener);
  }
  Napi::Value Result(Napi::Env env) override { return RunObject(env, metrics_); }

 private:
  TrainJob job_;
  RunMetrics metrics_;
};

class EvaluateRun final : public Job {
 public:
  explicit EvaluateRun(RowRange rows) : rows_(std::move(rows)) {}
  void Run(Model& model, const RunListener& listener) override {
    const RowRange rows = std::move(rows_);
    metrics_ = Evaluate(model, rows, listener);
  }
  Napi::Value Result(Napi::Env env) override { return RunObject(env, metrics_); }

 private:
  RowRange rows_;
  RunMetrics metrics_;
};

class PredictRun final : public Job {
 public:
  explicit PredictRun(RowRange rows) : rows_(std::move(rows)) {}
  void Run(Model& model, const RunListener& listener) override {
    const RowRange rows = std::move(rows_);
    prediction_ = Predict(model, rows, listener);
  }
  Napi::Value Result(Napi::Env env) override {
    Napi::Object object = Napi::Object::New(env);
    object.Set("outputs", FloatArray(env, std::move(prediction_.outputs)));
    object.Set("aborted", prediction_.aborted);
    object.Set("streamed", prediction_.streamed);
    return object;
  }

 private:
  RowRange rows_;
  Prediction prediction_;
};

class GradientsRun final : public Job {
 public:
  explicit GradientsRun(GradientJob job) : job_(std::move(job)) {}
  void Run(Model& model, const RunListener& listener) override {
    const GradientJob job = std::move(job_);
    gradients_ = ComputeGradients(model, job, listener);
  }
  Napi::Value Result(Napi::Env env) override {
    Napi::Object object = Napi::Object::New(env);
    object.Set("gradients", FloatArray(env, std::move(gradients_.parameters)));
    const bool has_input = gradients_.input.size() > 0;
    object.Set("input", has_input ? Napi::Value(FloatArray(env, std::move(gradients_.input))) : env.Null());
    object.Set("loss", gradients_.loss);
    object.Set("aborted", gradients_.aborted);
    object.Set("streamed", gradients_.streamed);
    return object;
  }

 private:
  GradientJob job_;
  slim::Gradients gradients_;
};

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
