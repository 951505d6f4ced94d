#include "cuda/cuda_backend.h"

#include <string>

#include "cuda/activation.h"
#include "cuda/conv1d.h"
#include "cuda/dense.h"
#include "cuda/device_memory.h"
#include "cuda/device_session.h"
#include "cuda/dropout.h"
#include "cuda/embedding.h"
#include "cuda/graph.h"
#include "cuda/host_feed.h"
#include "cuda/loss.h"
#include "cuda/memory_operations.h"
#include "cuda/merge.h"
#include "cuda/optimizer.h"
#include "cuda/pooling.h"
#include "cuda/recurrence.h"
#include "cuda/recurrence_cudnn.h"
#include "cuda/step_values.h"

namespace slim::cuda {
namespace {

/// What a description adds for a precision that is not the usual one.
std::string PrecisionInWords(Precision precision) {
  return precision == Precision::kFloat32 ? "" : std::string(", ") + NameOf(precision);
}

/// Each operation lives in the file of its subject; this class gives it the context, and sees to it that the calling
/// thread has the device.
class CudaBackend final : public Backend {
 public:
  CudaBackend(int device, Precision precision) : session_(device, precision) {}

  ~CudaBackend() override {
    // What fails here has failed before.
    static_cast<void>(cudaSetDevice(session_.context().device.ordinal));
    static_cast<void>(cudaStreamSynchronize(session_.context().stream));
  }

  std::string Description() const override {
    const DeviceLimits& device = session_.context().device;
    const std::string capability =
        std::to_string(device.capability / 10) + "." + std::to_string(device.capability % 10);
    return "cuda:" + std::to_string(device.ordinal) + " (" + device.name + ", compute capability " + capability +
           PrecisionInWords(session_.context().precision) + ")";
  }

  void* Allocate(size_t bytes) override {
    session_.Enter();
    return AllocateDeviceMemory(bytes);
  }
  void Free(void* memory) noexcept override {
    static_cast<void>(cudaSetDevice(session_.context().device.ordinal));
    FreeDeviceMemory(memory);
  }
  void Upload(void* destination, const void* host, size_t bytes) override {
    cuda::Upload(Context(), destination, host, bytes);
  }
  void Download(void* host, const void* source, size_t bytes) override {
    cuda::Download(Context(), host, source, bytes);
  }
  void Zero(void* memory, size_t bytes) override { cuda::Zero(Context(), memory, bytes); }
  void Copy(void* destination, const void* source, size_t bytes) override {
    cuda::Copy(Context(), destination, source, bytes);
  }
  void Synchronize() override { cuda::Synchronize(Context()); }

  size_t FreeBytes() override {
    session_.Enter();
    return FreeDeviceBytes();
  }
  std::unique_ptr<HostFeed> OpenFeed(size_t bytes) override { return std::make_unique<CudaHostFeed>(session_, bytes); }

  void SetStep(const StepValues& values) override { WriteStepValues(Context().stream, values, session_.step_values()); }
  void Run(uint64_t key, const std::function<void()>& enqueue) override {
    recorded_.Run(key, Context().stream, enqueue);
  }
  void ForgetRecorded() override {
    cuda::Synchronize(Context());
    recorded_.Forget();
  }

  void GatherRows(const void* source, size_t row_bytes, const int32_t* order, int64_t rows,
                  void* destination) override {
    cuda::GatherRows(Context(), source, row_bytes, order, rows, destination);
  }
  void TokenMask(const int32_t* tokens, int64_t count, uint8_t* mask) override {
    cuda::TokenMask(Context(), tokens, count, mask);
  }

  void EmbeddingForward(const EmbeddingShape& shape, int64_t batch, const int32_t* tokens, const float* table,
                        float* y) override {
    cuda::EmbeddingForward(Context(), shape, batch, tokens, table, y);
  }
  size_t EmbeddingScratchBytes(const EmbeddingShape& shape, int64_t batch) override {
    return cuda::EmbeddingScratchBytes(shape, batch);
  }
  void EmbeddingBackward(const EmbeddingShape& shape, int64_t batch, const int32_t* tokens, const float* dy,
                         float* dtable, void* scratch) override {
    cuda::EmbeddingBackward(Context(), shape, batch, tokens, dy, dtable, scratch);
  }

  size_t Conv1dScratchBytes(const Conv1dShape& shape, int64_t batch, bool embedded, bool training) override {
    return cuda::Conv1dScratchBytes(Context(), shape, batch, embedded, training);
  }
  void Conv1dForward(const Conv1dShape& shape, int64_t batch, const SequenceInput& input, const Conv1dWeights& weights,
                     float* y, void* scratch) override {
    cuda::Conv1dForward(Context(), shape, batch, input, weights, y, scratch);
  }
  void Conv1dBackward(const Conv1dShape& shape, int64_t batch, const SequenceInput& input, const Conv1dWeights& weights,
                      const float* y, float* dy, const Conv1dGradients& gradients, const SequenceGradient& dinput,
                      void* scratch) override {
    cuda::Conv1dBackward(Context(), shape, batch, input, weights, y, dy, gradients, dinput, scratch);
  }

  void MaxPoolForward(const MaxPoolShape& shape, int64_t batch, const float* x, float* y, int32_t* winners) override {
    cuda::MaxPoolForward(Context(), shape, batch, x, y, winners);
  }
  void MaxPoolBackward(const MaxPoolShape& shape, int64_t batch, const int32_t* winners, const float* dy,
                       float* dx) override {
    cuda::MaxPoolBackward(Context(), shape, batch, winners, dy, dx);
  }

  void Dropout(float rate, uint32_t stream, int64_t count, const float* x, float* y) override {
    cuda::Dropout(Context(), rate, stream, count, x, y);
  }
  void SpatialDropout(float rate, uint32_t stream, int64_t batch, int64_t steps, int64_t channels, const float* x,
                      float* y) override {
    cuda::SpatialDropout(Context(), rate, stream, batch, steps, channels, x, y);
  }

  size_t DenseScratchBytes(const DenseShape&, int64_t, bool) override { return 0; }
  void DenseForward(const DenseShape& shape, int64_t batch, const float* x, const float* kernel, const float* bias,
                    float* y, void*) override {
    cuda::DenseForward(Context(), shape, batch, x, kernel, bias, y);
  }
  void DenseBackward(const DenseShape& shape, int64_t batch, const float* x, const float* kernel, const float* y,
                     float* dy, float* dkernel, float* dbias, float* dx, void*) override {
    cuda::DenseBackward(Context(), shape, batch, x, kernel, y, dy, dkernel, dbias, dx);
  }

  void ActivationForward(Activation activation, int64_t rows, int64_t width, const float* x, float* y) override {
    cuda::ActivationForward(Context(), activation, rows, width, x, y);
  }
  void ActivationBackward(Activation activation, int64_t rows, int64_t width, const float* y, const float* dy,
                          float* dx) override {
    cuda::ActivationBackward(Context(), activation, rows, width, y, dy, dx);
  }

  void CheckRecurrence(const RecurrenceShape& shape, bool masked) override {
    if (shape.implementation != Implementation::kCudnn) return;
    CheckCudnnServes(shape, masked);
    session_.OpenCudnn();
  }
  size_t RecurrenceCacheBytes(const RecurrenceShape& shape, int64_t batch, bool embedded) override {
    return cuda::RecurrenceCacheBytes(Context(), shape, batch, embedded);
  }
  size_t RecurrenceScratchBytes(const RecurrenceShape& shape, int64_t batch, bool embedded, bool training) override {
    return cuda::RecurrenceScratchBytes(Context(), shape, batch, embedded, training);
  }
  void RecurrenceForward(const RecurrenceShape& shape, int64_t batch, const SequenceInput& input, const uint8_t* mask,
                         const RecurrenceWeights& weights, const StateOutput& output, void* cache,
                         void* scratch) override {
    cuda::RecurrenceForward(Context(), shape, batch, input, mask, weights, output, cache, scratch);
  }
  void RecurrenceBackward(const RecurrenceShape& shape, int64_t batch, const SequenceInput& input, const uint8_t* mask,
                          const RecurrenceWeights& weights, const StateGradient& doutput, void* cache,
                          const RecurrenceGradients& gradients, const SequenceGradient& dinput,
                          void* scratch) override {
    cuda::RecurrenceBackward(Context(), shape, batch, input, mask, weights, doutput, cache, gradients, dinput, scratch);
  }

  void MergeForward(Merge merge, int64_t count, const float* a, const float* b, float* y) override {
    cuda::MergeForward(Context(), merge, count, a, b, y);
  }
  void MergeBackward(Merge merge, int64_t count, const float* a, const float* b, const float* dy, float* da,
                     float* db) override {
    cuda::MergeBackward(Context(), merge, count, a, b, dy, da, db);
  }

  void ComputeLoss(const LossShape& shape, int64_t batch, const LossOperands& operands) override {
    cuda::ComputeLoss(Context(), shape, batch, operands);
  }

  size_t OptimizerScratchBytes(const OptimizerRule& rule, int64_t, int64_t segments) override {
    return cuda::OptimizerScratchBytes(rule, segments);
  }
  void Update(const OptimizerRule& rule, int64_t count, float* parameters, float* gradients, float* state,
              const Segment* segments, int64_t segment_count, void* scratch) override {
    cuda::Update(Context(), rule, count, parameters, gradients, state, segments, segment_count, scratch);
  }

 private:
  const CudaContext& Context() {
    session_.Enter();
    return session_.context();
  }

  DeviceSession session_;
  RecordedSteps recorded_;
};

}  // namespace

std::unique_ptr<Backend> MakeCudaBackend(int device, Precision precision) {
  return std::make_unique<CudaBackend>(device, precision);
}

}  // namespace slim::cuda
