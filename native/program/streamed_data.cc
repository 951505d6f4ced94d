#include "program/streamed_data.h"

#include "program/row_order.h"

namespace slim {

HostFeed& StreamedData::Feed(size_t bytes) {
  if (feed_ != nullptr && feed_bytes_ >= bytes) return *feed_;
  feed_.reset();
  feed_bytes_ = 0;
  feed_reservation_ = HostReservation();
  // The host writes one batch while another leaves.
  feed_reservation_ = HostReservation(2 * bytes, "two batches on their way to the device");
  feed_ = backend_.OpenFeed(bytes);
  feed_bytes_ = bytes;
  return *feed_;
}

const int32_t* StreamedData::ShuffledOrder(uint64_t seed, uint32_t epoch, int64_t first, int64_t rows) {
  const ShuffledRows wanted{seed, epoch, first, rows};
  if (shuffled_ == wanted) return order_.data();
  shuffled_.reset();
  if (order_.size() < static_cast<size_t>(rows)) {
    order_ = HostArray<int32_t>();
    order_ = HostArray<int32_t>(static_cast<size_t>(rows), "the order of rows");
  }
  slim::ShuffledOrder(seed, epoch, first, rows, order_.data());
  shuffled_ = wanted;
  return order_.data();
}

}  // namespace slim
