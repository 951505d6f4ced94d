#pragma once

#include <memory>
#include <vector>

#include "backend.h"
#include "program/dataset.h"
#include "program/device_array.h"

namespace slim {

/// The data sets that a device holds. A data set is copied when it is first used and stays until it is let go of, so
/// the epochs of a training, each a run of its own, copy nothing. A device that reads the host's memory gets no copy.
class ResidentData {
 public:
  struct Addresses {
    const void* inputs;
    const void* targets;  // null where the data set has none
  };

  explicit ResidentData(Backend& backend) : backend_(backend) {}

  /// The rows [0, end) of the data set, of which at least as many were appended. Throws Error (kOutOfMemory).
  Addresses Of(const std::shared_ptr<const Dataset>& data, int64_t end, bool with_targets);

 private:
  struct Copy {
    std::weak_ptr<const Dataset> data;
    DeviceArray inputs;
    DeviceArray targets;
    int64_t input_rows = 0;  // copied so far
    int64_t target_rows = 0;
  };

  Copy& CopyOf(const std::shared_ptr<const Dataset>& data);

  Backend& backend_;
  std::vector<Copy> copies_;
};

}  // namespace slim
