#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "program/batches.h"
#include "program/execution.h"
#include "program/model.h"

namespace slim {

/// Which batches a run takes from its rows.
struct BatchOrder {
  std::optional<uint32_t> shuffled;  // by the epoch; nothing: the rows as they lie
  bool with_targets = false;
  int64_t first_step = 0;
  int64_t end_step = 0;  // the step after the run's last
};

/// Brings the batches of a run into its execution's inputs and targets. Whether the device holds the data set or gets
/// its batches one by one from the host, the same rows come in the same order. A step is
///
///   Bring(step); Run(key with addresses(), { Gather(batch); ... }); Prefetch(step + 1);
class BatchSource {
 public:
  /// Of rows that were checked. Throws Error (kOutOfMemory).
  static std::unique_ptr<BatchSource> Open(Model& model, Execution& execution, const RowRange& rows,
                                           const BatchOrder& order);
  virtual ~BatchSource() = default;

  virtual bool streamed() const = 0;

  /// What Gather reads, which makes one recorded step another; all null where that is in the execution alone.
  struct Addresses {
    ResidentData::Addresses data;
    const int32_t* order = nullptr;
  };
  virtual Addresses addresses() const = 0;

  /// Place in the order, on the device, of the step's first row.
  virtual int64_t FirstRow(int64_t step) const = 0;

  /// Enqueues what has to come before the step.
  virtual void Bring(int64_t step) = 0;
  /// Enqueues, in the step itself, the gathering of its rows.
  virtual void Gather(int64_t batch) = 0;
  /// Prepares a step of the run, while the device works on the one before; steps beyond the last are passed over.
  virtual void Prefetch(int64_t step) = 0;
};

}  // namespace slim
