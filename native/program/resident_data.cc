#include "program/resident_data.h"

#include <cstddef>
#include <numeric>

#include "errors.h"

namespace slim {
namespace {

size_t InputBytes(const DatasetShape& shape) { return static_cast<size_t>(shape.rows * shape.input_width) * 4; }
size_t TargetBytes(const DatasetShape& shape) { return static_cast<size_t>(shape.rows * shape.target_width) * 4; }

bool LeavesRoom(Backend& backend, const DatasetShape& shape) {
  constexpr size_t kOrders = 2;  // as the rows lie, and shuffled
  const size_t wanted =
      InputBytes(shape) + TargetBytes(shape) + kOrders * sizeof(int32_t) * static_cast<size_t>(shape.rows);
  const size_t free = backend.FreeBytes();
  return wanted <= free - free / 10;
}

/// Copies the rows from `copied` to `end` that are still missing, of `row_bytes` each.
void CopyRows(Backend& backend, DeviceArray& to, const void* from, size_t row_bytes, int64_t end, int64_t& copied) {
  if (end <= copied) return;
  const size_t offset = static_cast<size_t>(copied) * row_bytes;
  backend.Upload(static_cast<std::byte*>(to.data()) + offset, static_cast<const std::byte*>(from) + offset,
                 static_cast<size_t>(end - copied) * row_bytes);
  copied = end;
}

/// Writes an order to an array of the device, which grows where it is too small.
void Put(Backend& backend, const HostArray<int32_t>& order, DeviceArray& to) {
  if (to.bytes() < order.bytes()) {
    to = DeviceArray();
    to = DeviceArray(backend, order.bytes(), "the order of rows");
  }
  backend.Upload(to.data(), order.data(), order.bytes());
}

}  // namespace

std::optional<ResidentData::Addresses> ResidentData::Of(const std::shared_ptr<const Dataset>& data, int64_t end,
                                                        bool with_targets) {
  if (backend_.ReadsHostMemory()) return Addresses{data->inputs(), with_targets ? data->targets() : nullptr};
  Entry& entry = EntryOf(data);
  if (!entry.resident) return std::nullopt;
  const DatasetShape& shape = data->shape();
  CopyRows(backend_, entry.inputs, data->inputs(), static_cast<size_t>(shape.input_width) * 4, end, entry.input_rows);
  if (with_targets) {
    CopyRows(backend_, entry.targets, data->targets(), static_cast<size_t>(shape.target_width) * 4, end,
             entry.target_rows);
  }
  return Addresses{entry.inputs.data(), with_targets ? entry.targets.data() : nullptr};
}

const int32_t* ResidentData::IdentityOrder(int64_t end) {
  if (identity_order_.bytes() < static_cast<size_t>(end) * sizeof(int32_t)) {
    HostArray<int32_t> order(static_cast<size_t>(end), "the order of rows");
    std::iota(order.data(), order.data() + end, 0);
    Put(backend_, order, identity_order_);
  }
  return identity_order_.As<int32_t>();
}

const int32_t* ResidentData::ShuffledOrder(const Shuffle& shuffle) {
  if (shuffled_ == shuffle) return shuffled_order_.As<int32_t>();
  shuffled_.reset();
  HostArray<int32_t> order(static_cast<size_t>(shuffle.rows), "the order of rows");
  WriteShuffled(shuffle, order.data());
  Put(backend_, order, shuffled_order_);
  shuffled_ = shuffle;
  return shuffled_order_.As<int32_t>();
}

ResidentData::Entry& ResidentData::EntryOf(const std::shared_ptr<const Dataset>& data) {
  ReleaseUnused();
  for (Entry& entry : entries_) {
    if (entry.data.lock() == data) return entry;
  }
  Entry entry;
  entry.data = data;
  if (LeavesRoom(backend_, data->shape())) {
    try {
      Allocate(entry, data->shape());
    } catch (const Error& error) {
      // Somebody else was faster, or the free memory is not in one piece.
      if (error.code() != ErrorCode::kOutOfMemory) throw;
    }
  }
  entries_.push_back(std::move(entry));
  return entries_.back();
}

void ResidentData::Allocate(Entry& entry, const DatasetShape& shape) {
  DeviceArray inputs(backend_, InputBytes(shape), "the inputs of a data set on the device");
  entry.targets = DeviceArray(backend_, TargetBytes(shape), "the targets of a data set on the device");
  entry.inputs = std::move(inputs);
  entry.resident = true;
}

void ResidentData::ReleaseUnused() {
  std::erase_if(entries_, [](const Entry& entry) { return entry.data.expired(); });
}

size_t ResidentData::bytes() const {
  size_t bytes = identity_order_.bytes() + shuffled_order_.bytes();
  for (const Entry& entry : entries_) bytes += entry.inputs.bytes() + entry.targets.bytes();
  return bytes;
}

bool ResidentData::MakeRoom() {
  bool made = false;
  for (Entry& entry : entries_) {
    made = made || entry.resident;
    Entry streamed;
    streamed.data = entry.data;
    entry = std::move(streamed);
  }
  return made;
}

}  // namespace slim
