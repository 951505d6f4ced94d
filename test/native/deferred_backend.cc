#include "deferred_backend.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>

#include "errors.h"

namespace slim::test {
namespace {

size_t PagesOf(size_t bytes) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

}  // namespace

// Parcels leave when they are received, or when the host wants to write where they lie.
class DeferredBackend::Feed final : public HostFeed {
 public:
  Feed(DeferredBackend& device, size_t bytes) : device_(device) {
    for (Slot& slot : slots_) slot.host.resize(bytes);
  }
  ~Feed() override {
    try {
      device_.Synchronize();
    } catch (...) {
      // A lost device reads nothing any more.
    }
  }

  void* Next() override {
    Slot& slot = slots_[1 - sent_];
    if (slot.parcel != nullptr && !slot.parcel->left) {
      device_.Synchronize();
      slot.parcel->Leave();
    }
    std::fill(slot.host.begin(), slot.host.end(), uint8_t{0xFF});
    return slot.host.data();
  }

  void Send(size_t bytes) override {
    ++device_.fed_;
    sent_ = 1 - sent_;
    slots_[sent_].parcel = std::make_shared<Parcel>(Parcel{slots_[sent_].host.data(), bytes, {}});
  }

  void Receive(void* destination, size_t offset, size_t bytes) override {
    device_.Enqueue([=, parcel = slots_[sent_].parcel](Backend&) {
      parcel->Leave();
      std::memcpy(destination, &parcel->data.at(offset), bytes);
    });
  }

 private:
  struct Parcel {
    const uint8_t* host;
    size_t bytes;
    std::vector<uint8_t> data;
    bool left = false;

    void Leave() {
      if (!left) data.assign(host, host + bytes);
      left = true;
    }
  };
  struct Slot {
    std::vector<uint8_t> host;
    std::shared_ptr<Parcel> parcel;
  };

  DeferredBackend& device_;
  Slot slots_[2];
  int sent_ = 0;
};

DeferredBackend::~DeferredBackend() {
  for (const auto& [memory, bytes] : blocks_) munmap(memory, PagesOf(bytes));
}

void DeferredBackend::Protect(bool open) {
  for (const auto& [memory, bytes] : blocks_) {
    if (mprotect(memory, PagesOf(bytes), open ? PROT_READ | PROT_WRITE : PROT_NONE) != 0)
      throw std::runtime_error("mprotect");
  }
}

void DeferredBackend::CheckThere() const {
  if (lost_) throw Error(ErrorCode::kDeviceLost, "The deferred device is lost: go on from what was saved last");
}

void DeferredBackend::Enqueue(Operation operation) {
  CheckThere();
  if (recording_ != nullptr) {
    recording_->push_back(std::move(operation));
  } else {
    queue_.push_back(std::move(operation));
  }
}

void* DeferredBackend::Allocate(size_t bytes) {
  CheckThere();
  if (bytes > FreeBytes()) {
    throw Error(ErrorCode::kOutOfMemory, "Could not get " + std::to_string(bytes) +
                                             " bytes: " + std::to_string(FreeBytes()) + " of " +
                                             std::to_string(memory_->bytes) + " are free");
  }
  void* memory = mmap(nullptr, PagesOf(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  // Unspecified content: as floats, not a number.
  std::memset(memory, 0xFF, PagesOf(bytes));
  blocks_[memory] = bytes;
  memory_->allocated += bytes;
  Protect(false);
  return memory;
}

void DeferredBackend::Free(void* memory) noexcept {
  try {
    if (!lost_) Synchronize();
  } catch (...) {
    if (!lost_) std::terminate();  // what is still to be done can no longer be done
  }
  const auto block = blocks_.find(memory);
  munmap(memory, PagesOf(block->second));
  memory_->allocated -= block->second;
  blocks_.erase(block);
}

void DeferredBackend::Upload(void* destination, const void* host, size_t bytes) {
  uploaded_ += bytes;
  const auto* from = static_cast<const uint8_t*>(host);
  Enqueue([destination, data = std::vector<uint8_t>(from, from + bytes)](Backend&) {
    std::memcpy(destination, data.data(), data.size());
  });
}

void DeferredBackend::Download(void* host, const void* source, size_t bytes) {
  Synchronize();
  Protect(true);
  std::memcpy(host, source, bytes);
  Protect(false);
}

void DeferredBackend::Zero(void* memory, size_t bytes) {
  Enqueue([=](Backend&) { std::memset(memory, 0, bytes); });
}

void DeferredBackend::Copy(void* destination, const void* source, size_t bytes) {
  Enqueue([=](Backend&) { std::memcpy(destination, source, bytes); });
}

void DeferredBackend::Synchronize() {
  CheckThere();
  if (queue_.empty()) return;
  Protect(true);
  for (const Operation& operation : queue_) {
    operation(*cpu_);
    if (lost_) break;
  }
  queue_.clear();
  Protect(false);
  CheckThere();
}

std::unique_ptr<HostFeed> DeferredBackend::OpenFeed(size_t bytes) {
  CheckThere();
  return std::make_unique<Feed>(*this, bytes);
}

void DeferredBackend::SetStep(const StepValues& values) {
  Enqueue([=, this](Backend& cpu) {
    cpu.SetStep(values);
    lost_ = steps_to_loss_ > 0 && --steps_to_loss_ == 0;
  });
}

void DeferredBackend::Run(uint64_t key, const std::function<void()>& enqueue) {
  const auto known = recorded_.find(key);
  if (known == recorded_.end()) {
    recording_ = &recorded_[key];
    enqueue();
    recording_ = nullptr;
  } else {
    ++replays_;
  }
  for (const Operation& operation : recorded_[key]) queue_.push_back(operation);
}

void DeferredBackend::ForgetRecorded() { recorded_.clear(); }

void DeferredBackend::GatherRows(const void* source, size_t row_bytes, const int32_t* order, int64_t rows,
                                 void* destination) {
  Enqueue([=](Backend& cpu) { cpu.GatherRows(source, row_bytes, order, rows, destination); });
}

void DeferredBackend::TokenMask(const int32_t* tokens, int64_t count, uint8_t* mask) {
  Enqueue([=](Backend& cpu) { cpu.TokenMask(tokens, count, mask); });
}

void DeferredBackend::EmbeddingForward(const EmbeddingShape& shape, int64_t batch, const int32_t* tokens,
                                       const float* table, float* y) {
  Enqueue([=](Backend& cpu) { cpu.EmbeddingForward(shape, batch, tokens, table, y); });
}

size_t DeferredBackend::EmbeddingScratchBytes(const EmbeddingShape& shape, int64_t batch) {
  return cpu_->EmbeddingScratchBytes(shape, batch);
}

void DeferredBackend::EmbeddingBackward(const EmbeddingShape& shape, int64_t batch, const int32_t* tokens,
                                        const float* dy, float* dtable, void* scratch) {
  Enqueue([=](Backend& cpu) { cpu.EmbeddingBackward(shape, batch, tokens, dy, dtable, scratch); });
}

size_t DeferredBackend::Conv1dScratchBytes(const Conv1dShape& shape, int64_t batch, bool embedded, bool training) {
  return cpu_->Conv1dScratchBytes(shape, batch, embedded, training);
}

void DeferredBackend::Conv1dForward(const Conv1dShape& shape, int64_t batch, const SequenceInput& input,
                                    const Conv1dWeights& weights, float* y, void* scratch) {
  Enqueue([=](Backend& cpu) { cpu.Conv1dForward(shape, batch, input, weights, y, scratch); });
}

void DeferredBackend::Conv1dBackward(const Conv1dShape& shape, int64_t batch, const SequenceInput& input,
                                     const Conv1dWeights& weights, const float* y, float* dy,
                                     const Conv1dGradients& gradients, const SequenceGradient& dinput, void* scratch) {
  Enqueue([=](Backend& cpu) { cpu.Conv1dBackward(shape, batch, input, weights, y, dy, gradients, dinput, scratch); });
}

void DeferredBackend::MaxPoolForward(const MaxPoolShape& shape, int64_t batch, const float* x, float* y,
                                     int32_t* winners) {
  Enqueue([=](Backend& cpu) { cpu.MaxPoolForward(shape, batch, x, y, winners); });
}

void DeferredBackend::MaxPoolBackward(const MaxPoolShape& shape, int64_t batch, const int32_t* winners, const float* dy,
                                      float* dx) {
  Enqueue([=](Backend& cpu) { cpu.MaxPoolBackward(shape, batch, winners, dy, dx); });
}

void DeferredBackend::Dropout(float rate, uint32_t stream, int64_t count, const float* x, float* y) {
  Enqueue([=](Backend& cpu) { cpu.Dropout(rate, stream, count, x, y); });
}

void DeferredBackend::SpatialDropout(float rate, uint32_t stream, int64_t batch, int64_t steps, int64_t channels,
                                     const float* x, float* y) {
  Enqueue([=](Backend& cpu) { cpu.SpatialDropout(rate, stream, batch, steps, channels, x, y); });
}

size_t DeferredBackend::DenseScratchBytes(const DenseShape& shape, int64_t batch, bool training) {
  return cpu_->DenseScratchBytes(shape, batch, training);
}

void DeferredBackend::DenseForward(const DenseShape& shape, int64_t batch, const float* x, const float* kernel,
                                   const float* bias, float* y, void* scratch) {
  Enqueue([=](Backend& cpu) { cpu.DenseForward(shape, batch, x, kernel, bias, y, scratch); });
}

void DeferredBackend::DenseBackward(const DenseShape& shape, int64_t batch, const float* x, const float* kernel,
                                    const float* y, float* dy, float* dkernel, float* dbias, float* dx, void* scratch) {
  Enqueue([=](Backend& cpu) { cpu.DenseBackward(shape, batch, x, kernel, y, dy, dkernel, dbias, dx, scratch); });
}

void DeferredBackend::ActivationForward(Activation activation, int64_t rows, int64_t width, const float* x, float* y) {
  Enqueue([=](Backend& cpu) { cpu.ActivationForward(activation, rows, width, x, y); });
}

void DeferredBackend::ActivationBackward(Activation activation, int64_t rows, int64_t width, const float* y,
                                         const float* dy, float* dx) {
  Enqueue([=](Backend& cpu) { cpu.ActivationBackward(activation, rows, width, y, dy, dx); });
}

void DeferredBackend::CheckRecurrence(const RecurrenceShape& shape, bool masked) {
  cpu_->CheckRecurrence(shape, masked);
}

size_t DeferredBackend::RecurrenceCacheBytes(const RecurrenceShape& shape, int64_t batch, bool embedded) {
  return cpu_->RecurrenceCacheBytes(shape, batch, embedded);
}

size_t DeferredBackend::RecurrenceScratchBytes(const RecurrenceShape& shape, int64_t batch, bool embedded,
                                               bool training) {
  return cpu_->RecurrenceScratchBytes(shape, batch, embedded, training);
}

void DeferredBackend::RecurrenceForward(const RecurrenceShape& shape, int64_t batch, const SequenceInput& input,
                                        const uint8_t* mask, const RecurrenceWeights& weights,
                                        const StateOutput& output, void* cache, void* scratch) {
  Enqueue([=](Backend& cpu) { cpu.RecurrenceForward(shape, batch, input, mask, weights, output, cache, scratch); });
}

void DeferredBackend::RecurrenceBackward(const RecurrenceShape& shape, int64_t batch, const SequenceInput& input,
                                         const uint8_t* mask, const RecurrenceWeights& weights,
                                         const StateGradient& doutput, void* cache,
                                         const RecurrenceGradients& gradients, const SequenceGradient& dinput,
                                         void* scratch) {
  Enqueue([=](Backend& cpu) {
    cpu.RecurrenceBackward(shape, batch, input, mask, weights, doutput, cache, gradients, dinput, scratch);
  });
}

void DeferredBackend::MergeForward(Merge merge, int64_t count, const float* a, const float* b, float* y) {
  Enqueue([=](Backend& cpu) { cpu.MergeForward(merge, count, a, b, y); });
}

void DeferredBackend::MergeBackward(Merge merge, int64_t count, const float* a, const float* b, const float* dy,
                                    float* da, float* db) {
  Enqueue([=](Backend& cpu) { cpu.MergeBackward(merge, count, a, b, dy, da, db); });
}

void DeferredBackend::ComputeLoss(const LossShape& shape, int64_t batch, const LossOperands& operands) {
  Enqueue([=](Backend& cpu) { cpu.ComputeLoss(shape, batch, operands); });
}

size_t DeferredBackend::OptimizerScratchBytes(const OptimizerRule& rule, int64_t count, int64_t segments) {
  return cpu_->OptimizerScratchBytes(rule, count, segments);
}

void DeferredBackend::Update(const OptimizerRule& rule, int64_t count, float* parameters, float* gradients,
                             float* state, const Segment* segments, int64_t segment_count, void* scratch) {
  Enqueue(
      [=](Backend& cpu) { cpu.Update(rule, count, parameters, gradients, state, segments, segment_count, scratch); });
}

}  // namespace slim::test
