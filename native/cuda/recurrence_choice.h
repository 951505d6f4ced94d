#pragma once

#include <cstdint>

#include "cuda/recurrence_team.h"

/// Which kernel serves a pass of the recurrence on this device.
///
/// The environment's SLIM_LSTM_LOG=kernels has each choice told on standard error, once. SLIM_LSTM_KERNEL names one
/// that is to be used, for tests and measurements: scan, block, cluster, grid or graph, and behind a colon the blocks
/// of a team, such as cluster:4. Both are read when a device is opened, and hold for it.
namespace slim::cuda {

enum class RecurrenceKernel : uint8_t { kScan, kTeam, kGraph };

struct RecurrenceChoice {
  RecurrenceKernel kernel = RecurrenceKernel::kGraph;
  TeamChoice team;  // of kTeam
};

/// Throws Error (kInvalidArgument) where the context asks for a kernel that there is not, or that does not serve.
RecurrenceChoice ChooseKernel(const CudaContext& context, const RecurrencePlan& plan, Pass pass);

/// Whether cuDNN computes the layer, in both passes. By its name, as CheckRecurrence has seen to it that it can. Of its
/// own accord the device never takes it: that rests on measurements (bench/gpu times both, side by side), and none has
/// shown cuDNN to be the faster one. Where some do, this is the place for the sizes and devices they hold for; the
/// answer must be the same for all batches of a layer and with and without a mask, as memory is planned by it.
bool TakesCudnn(const RecurrenceShape& shape);

/// Tells, as a choice is told, that cuDNN serves the pass; or that it needs more memory for this batch than there is.
void TellCudnn(const CudaContext& context, const RecurrencePlan& plan, Pass pass);
void TellWithoutCudnn(const CudaContext& context, const RecurrencePlan& plan, Pass pass);

/// Tells, as a choice is told, that the teams of a grid were not resident after all.
void TellFallback(const CudaContext& context, const RecurrencePlan& plan, Pass pass, const char* reason);

}  // namespace slim::cuda
