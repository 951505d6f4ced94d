#pragma once

#include <cstddef>
#include <cstdint>

#include "backend.h"

/// Backend's operations of the recurrence for the layers that cuDNN computes (TakesCudnn). cuDNN reads and writes rows
/// in the order of the turns; what lies otherwise is brought into it and back: rows behind an embedding, rows of a
/// layer that walks backward, and gradients that are added to others.
namespace slim::cuda {

struct CudaContext;

/// Throws Error (kInvalidModel) where cuDNN's LSTM is another than the layer's.
void CheckCudnnServes(const RecurrenceShape& shape, bool masked);

/// Whether cuDNN computes a batch of so many: one that is smaller than the largest may need more memory, and then the
/// device's own kernels serve, of either pass.
bool CudnnServesBatch(const CudaContext& context, const RecurrenceShape& shape, int64_t batch, bool training);

/// This and CudnnScratchBytes throw Error (kInvalidArgument) for a batch that is too large for cuDNN.
size_t CudnnCacheBytes(const CudaContext& context, const RecurrenceShape& shape, int64_t batch);

/// Of either pass.
size_t CudnnScratchBytes(const CudaContext& context, const RecurrenceShape& shape, int64_t batch, bool embedded,
                         bool training);

void CudnnForward(const CudaContext& context, const RecurrenceShape& shape, int64_t batch, const SequenceInput& input,
                  const RecurrenceWeights& weights, const StateOutput& output, void* cache, void* scratch);

void CudnnBackward(const CudaContext& context, const RecurrenceShape& shape, int64_t batch, const SequenceInput& input,
                   const RecurrenceWeights& weights, const StateGradient& doutput, void* cache,
                   const RecurrenceGradients& gradients, const SequenceGradient& dinput, void* scratch);

}  // namespace slim::cuda
