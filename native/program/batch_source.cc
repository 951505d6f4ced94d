#include "program/batch_source.h"

#include <cstddef>

namespace slim {
namespace {

constexpr size_t kTargetAlignment = 256;

/// Bytes of a row.
struct RowBytes {
  size_t inputs;
  size_t targets;  // 0: none are wanted
};

RowBytes BytesOf(const DatasetShape& shape, bool with_targets) {
  return {static_cast<size_t>(shape.input_width) * 4, with_targets ? static_cast<size_t>(shape.target_width) * 4 : 0};
}

/// Rows of a data set on the device, in an order on the device.
class ResidentBatches final : public BatchSource {
 public:
  ResidentBatches(Model& model, Execution& execution, const RowRange& rows, const BatchOrder& order,
                  const ResidentData::Addresses& data)
      : backend_(model.backend()),
        execution_(execution),
        batches_(rows),
        bytes_(BytesOf(rows.data->shape(), order.with_targets)),
        base_(order.shuffled ? 0 : rows.begin) {
    addresses_.data = data;
    addresses_.order =
        order.shuffled ? model.resident().ShuffledOrder({model.seed(), *order.shuffled, rows.begin, batches_.rows()})
                       : model.resident().IdentityOrder(rows.end);
  }

  bool streamed() const override { return false; }
  Addresses addresses() const override { return addresses_; }
  int64_t FirstRow(int64_t step) const override { return base_ + batches_.First(step); }
  void Bring(int64_t) override {}
  void Prefetch(int64_t) override {}

  void Gather(int64_t batch) override {
    backend_.GatherRows(addresses_.data.inputs, bytes_.inputs, addresses_.order, batch, execution_.input());
    if (bytes_.targets > 0) {
      backend_.GatherRows(addresses_.data.targets, bytes_.targets, addresses_.order, batch, execution_.targets());
    }
  }

 private:
  Backend& backend_;
  Execution& execution_;
  Batches batches_;
  RowBytes bytes_;
  int64_t base_;  // place in the order of the run's first row
  Addresses addresses_;
};

/// Rows of a data set on the host, gathered there: a batch's inputs and, aligned, its targets make one parcel.
class StreamedBatches final : public BatchSource {
 public:
  StreamedBatches(Model& model, Execution& execution, const RowRange& rows, const BatchOrder& order)
      : execution_(execution),
        data_(*rows.data),
        batches_(rows),
        bytes_(BytesOf(data_.shape(), order.with_targets)),
        begin_(rows.begin),
        end_step_(order.end_step),
        gather_(model.streamed().gather()),
        feed_(model.Feed(TargetsAt(batches_.largest()) + static_cast<size_t>(batches_.largest()) * bytes_.targets)) {
    if (order.shuffled) {
      order_ = model.streamed().ShuffledOrder({model.seed(), *order.shuffled, rows.begin, batches_.rows()});
    }
  }

  bool streamed() const override { return true; }
  Addresses addresses() const override { return {}; }
  int64_t FirstRow(int64_t) const override { return 0; }
  void Gather(int64_t) override {}

  void Bring(int64_t step) override {
    if (sent_ != step) Send(step);
    const auto batch = static_cast<size_t>(batches_.Size(step));
    feed_.Receive(execution_.input(), 0, batch * bytes_.inputs);
    if (bytes_.targets > 0) {
      feed_.Receive(execution_.targets(), TargetsAt(batches_.Size(step)), batch * bytes_.targets);
    }
  }

  void Prefetch(int64_t step) override {
    if (step < end_step_) Send(step);
  }

 private:
  size_t TargetsAt(int64_t batch) const {
    const size_t inputs = static_cast<size_t>(batch) * bytes_.inputs;
    return (inputs + kTargetAlignment - 1) / kTargetAlignment * kTargetAlignment;
  }

  void Send(int64_t step) {
    const int64_t batch = batches_.Size(step);
    auto* parcel = static_cast<std::byte*>(feed_.Next());
    Copy(data_.inputs(), bytes_.inputs, step, parcel);
    Copy(data_.targets(), bytes_.targets, step, parcel + TargetsAt(batch));
    feed_.Send(TargetsAt(batch) + static_cast<size_t>(batch) * bytes_.targets);
    sent_ = step;
  }

  void Copy(const void* rows, size_t row_bytes, int64_t step, std::byte* to) {
    const int64_t first = batches_.First(step), batch = batches_.Size(step);
    if (row_bytes == 0) return;
    if (order_ != nullptr) return gather_.Gather(rows, row_bytes, order_ + first, batch, to);
    const auto* from = static_cast<const std::byte*>(rows) + static_cast<size_t>(begin_ + first) * row_bytes;
    gather_.Copy(from, static_cast<size_t>(batch) * row_bytes, to);
  }

  Execution& execution_;
  const Dataset& data_;
  Batches batches_;
  RowBytes bytes_;
  int64_t begin_;
  int64_t end_step_;
  RowGather& gather_;
  HostFeed& feed_;
  const int32_t* order_ = nullptr;  // null: the rows as they lie
  int64_t sent_ = -1;               // the step whose batch was sent last
};

}  // namespace

std::unique_ptr<BatchSource> BatchSource::Open(Model& model, Execution& execution, const RowRange& rows,
                                               const BatchOrder& order) {
  const auto data = model.resident().Of(rows.data, rows.end, order.with_targets);
  if (data) return std::make_unique<ResidentBatches>(model, execution, rows, order, *data);
  return std::make_unique<StreamedBatches>(model, execution, rows, order);
}

}  // namespace slim
