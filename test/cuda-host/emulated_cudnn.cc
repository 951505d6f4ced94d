// The LSTM that the CUDA device asks cuDNN for, computed by the CPU device while the emulated card works: what the
// device does before and after it is what the tests see. native/cuda/cudnn.cc itself is tested in test/native.

#include "emulated_cudnn.h"

#include <memory>
#include <utility>

#include "cpu/cpu_backend.h"
#include "cuda/check.h"
#include "cuda/cudnn.h"
#include "emulation/runtime_api.h"
#include "emulation/streams.h"

namespace slim::test {
namespace {

bool is_there = true;
int64_t greedy_batch = 0;

// All sizes of a batch, as the CPU asks for them.
class CpuLstm final : public cuda::CudnnLstm {
 public:
  size_t CacheBytes(const RecurrenceShape& shape, int64_t batch) override {
    return cpu_->RecurrenceCacheBytes(ByTurns(shape), batch, false);
  }
  size_t ScratchBytes(const RecurrenceShape& shape, int64_t batch, bool training) override {
    return cpu_->RecurrenceScratchBytes(ByTurns(shape), batch, false, training);
  }

  bool Fits(const RecurrenceShape&, int64_t batch, bool) override { return batch != greedy_batch; }

  void Forward(const RecurrenceShape& shape, int64_t batch, const float* x, const RecurrenceWeights& weights,
               const StateOutput& output, void* cache, void* scratch, CUstream_st* stream) override {
    Enqueue(stream, [=, cpu = cpu_, shape = ByTurns(shape)] {
      cpu->RecurrenceForward(shape, batch, Rows(x), nullptr, weights, output, cache, scratch);
    });
  }

  void Backward(const RecurrenceShape& shape, int64_t batch, const float* x, const RecurrenceWeights& weights,
                const StateGradient& doutput, void* cache, const RecurrenceGradients& gradients, float* dx,
                void* scratch, CUstream_st* stream) override {
    Enqueue(stream, [=, cpu = cpu_, shape = ByTurns(shape)] {
      cpu->RecurrenceBackward(shape, batch, Rows(x), nullptr, weights, doutput, cache, gradients, {dx, nullptr, false},
                              scratch);
    });
  }

 private:
  static RecurrenceShape ByTurns(RecurrenceShape shape) {
    shape.reverse = shape.align_output = false;
    shape.implementation = Implementation::kAuto;
    return shape;
  }
  static SequenceInput Rows(const float* x) {
    SequenceInput input;
    input.x = x;
    return input;
  }
  static void Enqueue(CUstream_st* stream, std::function<void()> work) {
    cuda::Check(emulated::Enqueue(stream, std::move(work)), "enqueue cuDNN's work");
  }

  // Recorded steps may outlive this object.
  std::shared_ptr<Backend> cpu_ = MakeCpuBackend(1);
};

}  // namespace

WithoutCudnn::WithoutCudnn() { is_there = false; }
WithoutCudnn::~WithoutCudnn() { is_there = true; }

GreedyCudnn::GreedyCudnn(int64_t batch) { greedy_batch = batch; }
GreedyCudnn::~GreedyCudnn() { greedy_batch = 0; }

}  // namespace slim::test

namespace slim::cuda {

VendorLibraryReport CudnnLibrary() {
  if (test::is_there) return {"cuDNN", "9.0.0", "/usr/lib/libcudnn.so.9", ""};
  return {"cuDNN", "", "", "cuDNN was not found"};
}

std::unique_ptr<CudnnLstm> CudnnLstm::Make(Precision) {
  return test::is_there ? std::make_unique<test::CpuLstm>() : nullptr;
}

}  // namespace slim::cuda
