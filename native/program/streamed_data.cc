#include "program/streamed_data.h"

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

const int32_t* StreamedData::ShuffledOrder(const Shuffle& shuffle) {
  if (shuffled_ == shuffle) return order_.data();
  shuffled_.reset();
  if (order_.size() < static_cast<size_t>(shuffle.rows)) {
    order_ = HostArray<int32_t>();
    order_ = HostArray<int32_t>(static_cast<size_t>(shuffle.rows), "the order of rows");
  }
  WriteShuffled(shuffle, order_.data());
  shuffled_ = shuffle;
  return order_.data();
}

}  // namespace slim
