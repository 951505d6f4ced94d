#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "backend.h"
#include "program/host_memory.h"
#include "program/row_gather.h"
#include "program/row_order.h"

namespace slim {

/// What a model keeps from run to run for data sets that the device does not hold: the feed that their batches take,
/// the threads that bring them there, and the order of their rows, which is wanted on the host.
class StreamedData {
 public:
  explicit StreamedData(Backend& backend) : backend_(backend) {}

  /// A feed for batches of so many bytes, valid until the next call. Throws Error (kOutOfMemory, kOutOfHostMemory).
  HostFeed& Feed(size_t bytes);
  /// What the feed holds of the device's memory.
  size_t feed_bytes() const { return feed_bytes_; }

  /// What puts a batch's rows side by side.
  RowGather& gather() { return gather_; }

  /// Numbers of rows on the host, valid until the next call. Throws Error (kOutOfHostMemory).
  const int32_t* ShuffledOrder(const Shuffle& shuffle);

 private:
  Backend& backend_;
  HostReservation feed_reservation_;
  std::unique_ptr<HostFeed> feed_;
  size_t feed_bytes_ = 0;
  RowGather gather_;
  HostArray<int32_t> order_;
  std::optional<Shuffle> shuffled_;  // what order_ holds
};

}  // namespace slim
