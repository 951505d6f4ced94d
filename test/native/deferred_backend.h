// A device that stands in for one whose memory is its own and whose work is done later.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "backend.h"

namespace slim::test {

// Memory of a device, which several may share.
struct DeferredMemory {
  explicit DeferredMemory(size_t all) : bytes(all) {}

  const size_t bytes;
  std::atomic<size_t> allocated{0};
};

// The CPU behind a wall. Its memory cannot be read or written by anyone else (a touch is a segmentation fault) but
// while it works; operations are kept and done when somebody waits; what a key was enqueued with first is replayed
// whenever the key comes again, and the caller is not asked again. So whatever assumes host memory, synchronous work,
// or breaks the promise of a key, fails a test. What is fed to it leaves the host as late as it may.
class DeferredBackend final : public Backend {
 public:
  explicit DeferredBackend(std::unique_ptr<Backend> cpu, size_t memory = SIZE_MAX)
      : DeferredBackend(std::move(cpu), std::make_shared<DeferredMemory>(memory)) {}
  DeferredBackend(std::unique_ptr<Backend> cpu, std::shared_ptr<DeferredMemory> memory)
      : cpu_(std::move(cpu)), memory_(std::move(memory)) {}
  ~DeferredBackend() override;

  // Loses the device in that step from now on, counted from 1: what waits for it fails, and all that comes after it.
  void Lose(int64_t step) { steps_to_loss_ = step; }

  // How often a recorded step was replayed.
  int64_t replays() const { return replays_; }
  // Blocks of memory that were not given back.
  size_t blocks() const { return blocks_.size(); }
  // Bytes that were copied in so far, beside what was fed.
  size_t uploaded() const { return uploaded_; }
  // Parcels that were fed.
  int64_t fed() const { return fed_; }
  // Bytes that are allocated.
  size_t allocated() const { return memory_->allocated; }

  std::string Description() const override { return "deferred " + cpu_->Description(); }
  void* Allocate(size_t bytes) override;
  void Free(void* memory) noexcept override;
  void Upload(void* destination, const void* host, size_t bytes) override;
  void Download(void* host, const void* source, size_t bytes) override;
  void Zero(void* memory, size_t bytes) override;
  void Copy(void* destination, const void* source, size_t bytes) override;
  void Synchronize() override;
  size_t FreeBytes() override { return memory_->bytes - memory_->allocated; }
  std::unique_ptr<HostFeed> OpenFeed(size_t bytes) override;
  void SetStep(const StepValues& values) override;
  void Run(uint64_t key, const std::function<void()>& enqueue) override;
  void ForgetRecorded() override;

  void GatherRows(const void* source, size_t row_bytes, const int32_t* order, int64_t rows, void* destination) override;
  void TokenMask(const int32_t* tokens, int64_t count, uint8_t* mask) override;
  void EmbeddingForward(const EmbeddingShape& shape, int64_t batch, const int32_t* tokens, const float* table,
                        float* y) override;
  size_t EmbeddingScratchBytes(const EmbeddingShape& shape, int64_t batch) override;
  void EmbeddingBackward(const EmbeddingShape& shape, int64_t batch, const int32_t* tokens, const float* dy,
                         float* dtable, void* scratch) override;
  size_t Conv1dScratchBytes(const Conv1dShape& shape, int64_t batch, bool embedded, bool training) override;
  void Conv1dForward(const Conv1dShape& shape, int64_t batch, const SequenceInput& input, const Conv1dWeights& weights,
                     float* y, void* scratch) override;
  void Conv1dBackward(const Conv1dShape& shape, int64_t batch, const SequenceInput& input, const Conv1dWeights& weights,
                      const float* y, float* dy, const Conv1dGradients& gradients, const SequenceGradient& dinput,
                      void* scratch) override;
  void MaxPoolForward(const MaxPoolShape& shape, int64_t batch, const float* x, float* y, int32_t* winners) override;
  void MaxPoolBackward(const MaxPoolShape& shape, int64_t batch, const int32_t* winners, const float* dy,
                       float* dx) override;
  void Dropout(float rate, uint32_t stream, int64_t count, const float* x, float* y) override;
  void SpatialDropout(float rate, uint32_t stream, int64_t batch, int64_t steps, int64_t channels, const float* x,
                      float* y) override;
  size_t DenseScratchBytes(const DenseShape& shape, int64_t batch, bool training) override;
  void DenseForward(const DenseShape& shape, int64_t batch, const float* x, const float* kernel, const float* bias,
                    float* y, void* scratch) override;
  void DenseBackward(const DenseShape& shape, int64_t batch, const float* x, const float* kernel, const float* y,
                     float* dy, float* dkernel, float* dbias, float* dx, void* scratch) override;
  void ActivationForward(Activation activation, int64_t rows, int64_t width, const float* x, float* y) override;
  void ActivationBackward(Activation activation, int64_t rows, int64_t width, const float* y, const float* dy,
                          float* dx) override;
  void CheckRecurrence(const RecurrenceShape& shape, bool masked) override;
  size_t RecurrenceCacheBytes(const RecurrenceShape& shape, int64_t batch, bool embedded) override;
  size_t RecurrenceScratchBytes(const RecurrenceShape& shape, int64_t batch, bool embedded, bool training) override;
  void RecurrenceForward(const RecurrenceShape& shape, int64_t batch, const SequenceInput& input, const uint8_t* mask,
                         const RecurrenceWeights& weights, const StateOutput& output, void* cache,
                         void* scratch) override;
  void RecurrenceBackward(const RecurrenceShape& shape, int64_t batch, const SequenceInput& input, const uint8_t* mask,
                          const RecurrenceWeights& weights, const StateGradient& doutput, void* cache,
                          const RecurrenceGradients& gradients, const SequenceGradient& dinput, void* scratch) override;
  void MergeForward(Merge merge, int64_t count, const float* a, const float* b, float* y) override;
  void MergeBackward(Merge merge, int64_t count, const float* a, const float* b, const float* dy, float* da,
                     float* db) override;
  void ComputeLoss(const LossShape& shape, int64_t batch, const LossOperands& operands) override;
  size_t OptimizerScratchBytes(const OptimizerRule& rule, int64_t count, int64_t segments) override;
  void Update(const OptimizerRule& rule, int64_t count, float* parameters, float* gradients, float* state,
              const Segment* segments, int64_t segment_count, void* scratch) override;

 private:
  using Operation = std::function<void(Backend&)>;
  class Feed;

  void CheckThere() const;
  void Enqueue(Operation operation);
  void Protect(bool open);

  std::unique_ptr<Backend> cpu_;
  std::shared_ptr<DeferredMemory> memory_;
  std::map<void*, size_t> blocks_;
  std::vector<Operation> queue_;
  std::map<uint64_t, std::vector<Operation>> recorded_;
  std::vector<Operation>* recording_ = nullptr;
  int64_t replays_ = 0;
  size_t uploaded_ = 0;
  int64_t fed_ = 0;
  int64_t steps_to_loss_ = 0;
  bool lost_ = false;
};

}  // namespace slim::test
