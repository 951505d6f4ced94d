#include "cpu/cpu_backend.h"

#include <algorithm>
#include <string>
#include <thread>

#include "cpu/activation.h"
#include "cpu/conv1d.h"
#include "cpu/dense.h"
#include "cpu/dispatch.h"
#include "cpu/dropout.h"
#include "cpu/embedding.h"
#include "cpu/host_feed.h"
#include "cpu/loss.h"
#include "cpu/memory_operations.h"
#include "cpu/merge.h"
#include "cpu/optimizer.h"
#include "cpu/pooling.h"
#include "cpu/recurrence.h"
#include "errors.h"
#include "thread_pool.h"

namespace slim {
namespace {

int UsableCores() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

int ThreadsFor(int threads) {
  if (threads < 0) {
    throw Error(
        ErrorCode::kInvalidArgument,
        "Expected a positive integer, or 0 for one per core, for threads but received " + std::to_string(threads));
  }
  return threads == 0 ? UsableCores() : threads;
}

/// Each operation lives in the file of its subject; this class gives it the threads and the step's values.
class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(int threads) : target_(ChosenCpuTarget()), pool_(ThreadsFor(threads)) {}

  std::string Description() const override {
    const int threads = pool_.threads();
    return std::string("cpu (") + NameOf(target_) + ", " + std::to_string(threads) +
           (threads == 1 ? " thread)" : " threads)");
  }

  bool ReadsHostMemory() const override { return true; }

  void* Allocate(size_t bytes) override { return AllocateDeviceMemory(bytes); }
  void Free(void* memory) noexcept override { FreeDeviceMemory(memory); }
  void Upload(void* destination, const void* host, size_t bytes) override { Copy(destination, host, bytes); }
  void Download(void* host, const void* source, size_t bytes) override { Copy(host, source, bytes); }
  void Zero(void* memory, size_t bytes) override { slim::Zero(pool_, memory, bytes); }
  void Copy(void* destination, const void* source, size_t bytes) override {
    slim::Copy(pool_, destination, source, bytes);
  }
  void Synchronize() override {}

  size_t FreeBytes() override { return SIZE_MAX; }
  std::unique_ptr<HostFeed> OpenFeed(size_t bytes) override { return std::make_unique<CpuHostFeed>(pool_, bytes); }

  void SetStep(const StepValues& values) override { step_ = values; }
  void Run(uint64_t, const std::function<void()>& enqueue) override { enqueue(); }
  void ForgetRecorded() override {}

  void GatherRows(const void* source, size_t row_bytes, const int32_t* order, int64_t rows,
                  void* destination) override {
    slim::GatherRows(pool_, source, row_bytes, order + step_.first_row, rows, destination);
  }
  void TokenMask(const int32_t* tokens, int64_t count, uint8_t* mask) override {
    slim::TokenMask(pool_, tokens, count, mask);
  }

  void EmbeddingForward(const EmbeddingShape& shape, int64_t batch, const int32_t* tokens, const float* table,
                        float* y) override {
    slim::EmbeddingForward(pool_, shape, batch, tokens, table, y);
  }
  size_t EmbeddingScratchBytes(const EmbeddingShape& shape, int64_t batch) override {
    return slim::EmbeddingScratchBytes(shape, batch);
  }
  void EmbeddingBackward(const EmbeddingShape& shape, int64_t batch, const int32_t* tokens, const float* dy,
                         float* dtable, void* scratch) override {
    slim::EmbeddingBackward(pool_, shape, batch, tokens, dy, dtable, scratch);
  }

  size_t Conv1dScratchBytes(const Conv1dShape& shape, int64_t batch, bool embedded, bool training) override {
    return slim::Conv1dScratchBytes(shape, batch, embedded, training, pool_.threads());
  }
  void Conv1dForward(const Conv1dShape& shape, int64_t batch, const SequenceInput& input, const Conv1dWeights& weights,
                     float* y, void* scratch) override {
    slim::Conv1dForward(pool_, shape, batch, input, weights, y, scratch);
  }
  void Conv1dBackward(const Conv1dShape& shape, int64_t batch, const SequenceInput& input, const Conv1dWeights& weights,
                      const float* y, float* dy, const Conv1dGradients& gradients, const SequenceGradient& dinput,
                      void* scratch) override {
    slim::Conv1dBackward(pool_, shape, batch, input, weights, y, dy, gradients, dinput, scratch);
  }

  void MaxPoolForward(const MaxPoolShape& shape, int64_t batch, const float* x, float* y, int32_t* winners) override {
    slim::MaxPoolForward(pool_, shape, batch, x, y, winners);
  }
  void MaxPoolBackward(const MaxPoolShape& shape, int64_t batch, const int32_t* winners, const float* dy,
                       float* dx) override {
    slim::MaxPoolBackward(pool_, shape, batch, winners, dy, dx);
  }

  void Dropout(float rate, uint32_t stream, int64_t count, const float* x, float* y) override {
    slim::Dropout(pool_, step_, rate, stream, count, x, y);
  }
  void SpatialDropout(float rate, uint32_t stream, int64_t batch, int64_t steps, int64_t channels, const float* x,
                      float* y) override {
    slim::SpatialDropout(pool_, step_, rate, stream, batch, steps, channels, x, y);
  }

  size_t DenseScratchBytes(const DenseShape& shape, int64_t batch, bool training) override {
    return slim::DenseScratchBytes(shape, batch, training, pool_.threads());
  }
  void DenseForward(const DenseShape& shape, int64_t batch, const float* x, const float* kernel, const float* bias,
                    float* y, void* scratch) override {
    slim::DenseForward(pool_, shape, batch, x, kernel, bias, y, scratch);
  }
  void DenseBackward(const DenseShape& shape, int64_t batch, const float* x, const float* kernel, const float* y,
                     float* dy, float* dkernel, float* dbias, float* dx, void* scratch) override {
    slim::DenseBackward(pool_, shape, batch, x, kernel, y, dy, dkernel, dbias, dx, scratch);
  }

  void ActivationForward(Activation activation, int64_t rows, int64_t width, const float* x, float* y) override {
    slim::ActivationForward(pool_, activation, rows, width, x, y);
  }
  void ActivationBackward(Activation activation, int64_t rows, int64_t width, const float* y, const float* dy,
                          float* dx) override {
    slim::ActivationBackward(pool_, activation, rows, width, y, dy, dx);
  }

  void CheckRecurrence(const RecurrenceShape& shape, bool) override {
    if (shape.implementation != Implementation::kCudnn) return;
    throw Error(ErrorCode::kDevice,
                "The implementation 'cudnn' needs a CUDA device but the device is the CPU; use device 'cuda', or the "
                "implementation 'auto', which every device has and a saved model may be loaded with");
  }
  size_t RecurrenceCacheBytes(const RecurrenceShape& shape, int64_t batch, bool embedded) override {
    return slim::RecurrenceCacheBytes(shape, batch, embedded);
  }
  size_t RecurrenceScratchBytes(const RecurrenceShape& shape, int64_t batch, bool embedded, bool training) override {
    return slim::RecurrenceScratchBytes(shape, batch, embedded, training, pool_.threads());
  }
  void RecurrenceForward(const RecurrenceShape& shape, int64_t batch, const SequenceInput& input, const uint8_t* mask,
                         const RecurrenceWeights& weights, const StateOutput& output, void* cache,
                         void* scratch) override {
    slim::RecurrenceForward(pool_, step_, shape, batch, input, mask, weights, output, cache, scratch);
  }
  void RecurrenceBackward(const RecurrenceShape& shape, int64_t batch, const SequenceInput& input, const uint8_t* mask,
                          const RecurrenceWeights& weights, const StateGradient& doutput, void* cache,
                          const RecurrenceGradients& gradients, const SequenceGradient& dinput,
                          void* scratch) override {
    slim::RecurrenceBackward(pool_, step_, shape, batch, input, mask, weights, doutput, cache, gradients, dinput,
                             scratch);
  }

  void MergeForward(Merge merge, int64_t count, const float* a, const float* b, float* y) override {
    slim::MergeForward(pool_, merge, count, a, b, y);
  }
  void MergeBackward(Merge merge, int64_t count, const float* a, const float* b, const float* dy, float* da,
                     float* db) override {
    slim::MergeBackward(pool_, merge, count, a, b, dy, da, db);
  }

  void ComputeLoss(const LossShape& shape, int64_t batch, const LossOperands& operands) override {
    slim::ComputeLoss(pool_, shape, batch, operands);
  }

  size_t OptimizerScratchBytes(const OptimizerRule& rule, int64_t count, int64_t segments) override {
    return slim::OptimizerScratchBytes(rule, count, segments);
  }
  void Update(const OptimizerRule& rule, int64_t count, float* parameters, float* gradients, float* state,
              const Segment* segments, int64_t segment_count, void* scratch) override {
    slim::Update(pool_, step_, rule, count, parameters, gradients, state, segments, segment_count, scratch);
  }

 private:
  CpuTarget target_;
  ThreadPool pool_;
  StepValues step_;
};

}  // namespace

CpuDescription CpuInfo() { return {NameOf(ChosenCpuTarget()), UsableCores()}; }

std::unique_ptr<Backend> MakeCpuBackend(int threads) { return std::make_unique<CpuBackend>(threads); }

}  // namespace slim
