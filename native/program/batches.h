#pragma once

#include <chrono>
#include <cstdint>

#include "program/jobs.h"

/// What the runs share: rows checked against the model and cut into batches, and how far they are.
namespace slim {

inline constexpr std::chrono::milliseconds kProgressInterval{50};

/// Throws Error (kInvalidArgument) where the rows are not there or do not have the model's shapes; with a loss, also
/// where the targets are not what it needs.
void CheckRows(const Program& program, const RowRange& rows, const TrainingSpec* training);

/// Rows cut into batches.
class Batches {
 public:
  explicit Batches(const RowRange& rows)
      : rows_(rows.end - rows.begin), batch_(rows.batch_size < rows_ ? rows.batch_size : rows_) {}

  int64_t rows() const { return rows_; }
  /// Samples of the largest batch.
  int64_t largest() const { return batch_; }
  int64_t steps() const { return (rows_ + batch_ - 1) / batch_; }
  int64_t First(int64_t step) const { return step * batch_; }
  int64_t Size(int64_t step) const { return First(step) + batch_ <= rows_ ? batch_ : rows_ - First(step); }

 private:
  int64_t rows_;
  int64_t batch_;
};

/// The metrics so far; waits for the device.
RunMetrics ReadMetrics(Model& model, int64_t steps);

/// Tells the listener how far a run is, not too often.
class ProgressTeller {
 public:
  ProgressTeller(Model& model, const RunListener& listener)
      : model_(model), listener_(listener), last_(std::chrono::steady_clock::now()) {}

  void StepDone(int64_t steps);

 private:
  Model& model_;
  const RunListener& listener_;
  std::chrono::steady_clock::time_point last_;
};

inline bool IsAborted(const RunListener& listener) { return listener.abort->load(std::memory_order_relaxed); }

}  // namespace slim
