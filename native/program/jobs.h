#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "program/dataset.h"
#include "program/host_memory.h"
#include "program/model.h"

/// The runs of a model over rows of a data set. Each throws Error: kInvalidArgument where the rows do not fit the model
/// or the model was not compiled, kOutOfMemory. An error or an abort leaves the model as after its last whole step.
namespace slim {

/// Rows [begin, end) of a data set, in batches of at most `batch_size`; the last may be smaller.
struct RowRange {
  std::shared_ptr<const Dataset> data;
  int64_t begin = 0;
  int64_t end = 0;
  int64_t batch_size = 1;
};

/// Means over the samples of a run so far.
struct RunMetrics {
  int64_t steps = 0;
  double samples = 0;
  double loss = 0;
  double accuracy = 0;
  double top_k = 0;
  bool aborted = false;
  bool streamed = false;  // the device does not hold the data set: its batches came one by one
};

/// Who watches a run. `abort` is looked at before every step; `progress`, which may be empty, is called on the run's
/// thread, at most every kProgressInterval.
struct RunListener {
  const std::atomic<bool>* abort;
  std::function<void(const RunMetrics&)> progress;
};

struct TrainJob {
  RowRange rows;
  uint32_t epoch = 0;  // the order of the rows, where they are shuffled, depends on it
  bool shuffle = true;
  float learning_rate = 0.001f;
  int64_t first_step = 0;            // of the epoch
  int64_t max_steps = 0;             // 0: to the epoch's end
  std::vector<float> class_weights;  // factor of a sample's loss by its class; empty: none
};

RunMetrics Train(Model& model, const TrainJob& job, const RunListener& listener);

RunMetrics Evaluate(Model& model, const RowRange& rows, const RunListener& listener);

struct Prediction {
  HostArray<float> outputs;  // [rows, ...outputs]
  bool aborted = false;
  bool streamed = false;
};
Prediction Predict(Model& model, const RowRange& rows, const RunListener& listener);

struct GradientJob {
  RowRange rows;
  bool training = false;  // with dropout
  bool input = false;     // the gradient of the inputs too, where they are float32
};
struct Gradients {
  HostArray<float> parameters;  // of the mean loss over the rows, in the layout; zeros for what is frozen
  HostArray<float> input;       // [rows, ...inputs]; empty where not asked for
  double loss = 0;
  bool aborted = false;
  bool streamed = false;
};
Gradients ComputeGradients(Model& model, const GradientJob& job, const RunListener& listener);

}  // namespace slim
