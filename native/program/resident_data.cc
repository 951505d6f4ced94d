#include "program/resident_data.h"

#include <cstddef>

namespace slim {
namespace {

/// Copies the rows from `copied` to `end` that are still missing, of `row_bytes` each.
void CopyRows(Backend& backend, DeviceArray& to, const void* from, size_t row_bytes, int64_t end, int64_t& copied) {
  if (end <= copied) return;
  const size_t offset = static_cast<size_t>(copied) * row_bytes;
  backend.Upload(static_cast<std::byte*>(to.data()) + offset, static_cast<const std::byte*>(from) + offset,
                 static_cast<size_t>(end - copied) * row_bytes);
  copied = end;
}

}  // namespace

ResidentData::Addresses ResidentData::Of(const std::shared_ptr<const Dataset>& data, int64_t end, bool with_targets) {
  if (backend_.ReadsHostMemory()) return {data->inputs(), with_targets ? data->targets() : nullptr};
  Copy& copy = CopyOf(data);
  const DatasetShape& shape = data->shape();
  CopyRows(backend_, copy.inputs, data->inputs(), static_cast<size_t>(shape.input_width) * 4, end, copy.input_rows);
  if (with_targets) {
    CopyRows(backend_, copy.targets, data->targets(), static_cast<size_t>(shape.target_width) * 4, end,
             copy.target_rows);
  }
  return {copy.inputs.data(), with_targets ? copy.targets.data() : nullptr};
}

ResidentData::Copy& ResidentData::CopyOf(const std::shared_ptr<const Dataset>& data) {
  std::erase_if(copies_, [](const Copy& copy) { return copy.data.expired(); });
  for (Copy& copy : copies_) {
    if (copy.data.lock() == data) return copy;
  }
  const DatasetShape& shape = data->shape();
  Copy copy;
  copy.data = data;
  copy.inputs = DeviceArray(backend_, static_cast<size_t>(shape.rows * shape.input_width) * 4,
                            "the inputs of a data set on the device");
  copy.targets = DeviceArray(backend_, static_cast<size_t>(shape.rows * shape.target_width) * 4,
                             "the targets of a data set on the device");
  copies_.push_back(std::move(copy));
  return copies_.back();
}

}  // namespace slim
