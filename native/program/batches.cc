#include "program/batches.h"

#include <algorithm>

#include "errors.h"
#include "program/sizes.h"

namespace slim {
namespace {

[[noreturn]] void Reject(const std::string& text) { throw Error(ErrorCode::kInvalidArgument, text); }

void CheckRange(const RowRange& rows, int64_t available) {
  if (rows.begin < 0 || rows.begin >= rows.end || rows.end > available) {
    Reject("Expected rows within the " + std::to_string(available) + " of the data set but received [" +
           std::to_string(rows.begin) + ", " + std::to_string(rows.end) + ")");
  }
  if (rows.batch_size < 1 || rows.batch_size > kLargestDimension) {
    Reject("Expected a positive integer for batchSize but received " + std::to_string(rows.batch_size));
  }
}

void CheckInputs(const Program& program, const DatasetShape& shape) {
  const int64_t width = program.input().Elements();
  if (shape.input_width != width) {
    Reject("Expected inputs of " + std::to_string(width) + " elements a row but the data set has " +
           std::to_string(shape.input_width));
  }
  if ((program.vocabulary() > 0) != (shape.vocabulary > 0)) {
    Reject(std::string("Expected ") + (program.vocabulary() > 0 ? "int32 token ids" : "float32 numbers") +
           " for inputs but the data set has the other");
  }
  if (shape.vocabulary > program.vocabulary()) {
    Reject("Expected token ids below " + std::to_string(program.vocabulary()) +
           " but the data set was checked for ids below " + std::to_string(shape.vocabulary));
  }
}

void CheckTargets(const Program& program, Loss loss, const DatasetShape& shape) {
  const int64_t outputs = program.output().Elements();
  const bool sparse = loss == Loss::kSparseCategoricalCrossentropy;
  if (sparse != (shape.classes > 0)) {
    Reject(std::string("Expected ") + (sparse ? "int32 class ids" : "float32 numbers") +
           " for targets but the data set has " + (shape.target_width == 0 ? "none" : "the other"));
  }
  if (sparse && shape.classes > outputs) {
    Reject("Expected class ids below " + std::to_string(outputs) + " but the data set was checked for ids below " +
           std::to_string(shape.classes));
  }
  const int64_t width = sparse ? 1 : outputs;
  if (shape.target_width != width) {
    Reject("Expected targets of " + std::to_string(width) + " elements a row but the data set has " +
           std::to_string(shape.target_width));
  }
}

}  // namespace

void CheckRows(const Program& program, const RowRange& rows, const TrainingSpec* training) {
  const DatasetShape& shape = rows.data->shape();
  CheckInputs(program, shape);
  int64_t available = rows.data->InputRows();
  if (training != nullptr) {
    CheckTargets(program, training->loss, shape);
    available = std::min(available, rows.data->TargetRows());
  }
  CheckRange(rows, available);
}

RunMetrics ReadMetrics(Model& model, int64_t steps) {
  MetricSums sums;
  model.backend().Download(&sums, model.sums(), sizeof sums);
  RunMetrics metrics;
  metrics.steps = steps;
  metrics.samples = sums.samples;
  if (sums.samples > 0) {
    metrics.loss = sums.loss / sums.samples;
    metrics.accuracy = sums.correct / sums.samples;
    metrics.top_k = sums.in_top_k / sums.samples;
  }
  return metrics;
}

void ProgressTeller::StepDone(int64_t steps) {
  if (!listener_.progress) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - last_ < kProgressInterval) return;
  last_ = now;
  listener_.progress(ReadMetrics(model_, steps));
}

}  // namespace slim
