#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "backend.h"
#include "program/dataset.h"
#include "program/device_array.h"
#include "program/row_order.h"

namespace slim {

/// The data sets that a device holds, and the orders of their rows. A data set is copied when it is first used and
/// stays until it is let go of, so the epochs of a training, each a run of its own, copy nothing. A device that reads
/// the host's memory gets no copy.
///
/// A data set gets a copy where a tenth of the device's free memory is left beside it and the orders of its rows, for
/// larger batches to come; others are streamed (streamed_data.h). What was decided holds while the data set lives, but
/// that copies make room where the model itself lacks memory: then their data sets are streamed from there on.
class ResidentData {
 public:
  struct Addresses {
    const void* inputs = nullptr;
    const void* targets = nullptr;  // null where the data set has none
  };

  explicit ResidentData(Backend& backend) : backend_(backend) {}

  /// The rows [0, end) of the data set, of which at least as many were appended; nothing where it is to be streamed.
  std::optional<Addresses> Of(const std::shared_ptr<const Dataset>& data, int64_t end, bool with_targets);

  /// Numbers of rows on the device, valid until the next call: 0, 1, 2, ... below `end`, or shuffled. Throws Error
  /// (kOutOfMemory).
  const int32_t* IdentityOrder(int64_t end);
  const int32_t* ShuffledOrder(const Shuffle& shuffle);

  /// Gives the copies back whose data sets are gone.
  void ReleaseUnused();
  /// What copies and orders take of the device's memory.
  size_t bytes() const;
  /// Gives all copies back, of which no run may be in need. False where there were none.
  bool MakeRoom();

 private:
  struct Entry {
    std::weak_ptr<const Dataset> data;
    bool resident = false;
    DeviceArray inputs;
    DeviceArray targets;
    int64_t input_rows = 0;  // copied so far
    int64_t target_rows = 0;
  };

  Entry& EntryOf(const std::shared_ptr<const Dataset>& data);
  /// Memory for all rows; throws Error (kOutOfMemory).
  void Allocate(Entry& entry, const DatasetShape& shape);

  Backend& backend_;
  std::vector<Entry> entries_;
  DeviceArray identity_order_;
  DeviceArray shuffled_order_;
  std::optional<Shuffle> shuffled_;  // what shuffled_order_ holds
};

}  // namespace slim
