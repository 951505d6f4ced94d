#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "backend.h"
#include "cuda/library.h"

struct CUstream_st;

/// NVIDIA's own LSTM, as another implementation of the recurrence for the standard cell. Where the library was compiled
/// without cuDNN's headers, it reports just that and opens nothing.
namespace slim::cuda {

/// Whether cuDNN was found, and where. The library is looked for once in the life of the process.
VendorLibraryReport CudnnLibrary();

/// Why cuDNN cannot compute this layer in any machine; empty where it can. `masked`: some steps may be masked out.
std::string WhyNotCudnn(const RecurrenceShape& shape, bool masked);

/// The largest batch of such a layer whose inputs and states cuDNN can count.
int64_t LargestCudnnBatch(const RecurrenceShape& shape);

/// One thread at a time may use it; work is enqueued, and may be while a graph is captured in the relaxed mode. Shapes
/// are those for which WhyNotCudnn is empty. The meaning of operands is that of Backend's recurrence, but that all rows
/// are in the order of the turns: `x` written out [B, T, m], and of a layer that walks backward the last step first.
/// Sizes are asked with the largest batch, of LargestCudnnBatch at the most, before any pass.
class CudnnLstm {
 public:
  /// Null where cuDNN is not there: then CudnnLibrary says why. Of the device that is current. cuDNN multiplies single
  /// precision in float32 or in tf32; for kBfloat16 it takes the latter. Throws Error (kDevice, kOutOfMemory) where
  /// cuDNN does not start, as with a driver that is too old for it.
  static std::unique_ptr<CudnnLstm> Make(Precision precision);
  virtual ~CudnnLstm() = default;

  /// What a training step keeps between its passes. This and ScratchBytes throw Error (kDevice) where cuDNN has no LSTM
  /// of that size for the device.
  virtual size_t CacheBytes(const RecurrenceShape& shape, int64_t batch) = 0;
  virtual size_t ScratchBytes(const RecurrenceShape& shape, int64_t batch, bool training) = 0;

  /// Whether a batch does with the memory of each larger one whose sizes were asked: cuDNN promises it nowhere. Only
  /// such a batch may make a pass.
  virtual bool Fits(const RecurrenceShape& shape, int64_t batch, bool training) = 0;

  /// `cache` null: inference.
  virtual void Forward(const RecurrenceShape& shape, int64_t batch, const float* x, const RecurrenceWeights& weights,
                       const StateOutput& output, void* cache, void* scratch, CUstream_st* stream) = 0;

  /// `dx` [B, T, m] is overwritten: cuDNN computes it whether it is wanted or not.
  virtual void Backward(const RecurrenceShape& shape, int64_t batch, const float* x, const RecurrenceWeights& weights,
                        const StateGradient& doutput, void* cache, const RecurrenceGradients& gradients, float* dx,
                        void* scratch, CUstream_st* stream) = 0;
};

}  // namespace slim::cuda
