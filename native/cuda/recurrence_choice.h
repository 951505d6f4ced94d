#pragma once

#include <cstdint>

#include "cuda/recurrence_team.h"

/// Which kernel serves a pass of the recurrence on this device.
///
/// The environment's SLIM_LSTM_LOG=kernels has each choice told on standard error, once. SLIM_LSTM_KERNEL names one
/// that is to be used, for tests and measurements: scan, block, cluster, grid or graph, and behind a colon the blocks
/// of a team, such as cluster:4.
namespace slim::cuda {

enum class RecurrenceKernel : uint8_t { kScan, kTeam, kGraph };

struct RecurrenceChoice {
  RecurrenceKernel kernel = RecurrenceKernel::kGraph;
  TeamChoice team;  // of kTeam
};

/// Throws Error (kInvalidArgument) where the environment names a kernel that there is not, or that does not serve.
RecurrenceChoice ChooseKernel(const CudaContext& context, const RecurrencePlan& plan, Pass pass);

/// Tells, as a choice is told, that the teams of a grid were not resident after all.
void TellFallback(const RecurrencePlan& plan, Pass pass, const char* reason);

}  // namespace slim::cuda
