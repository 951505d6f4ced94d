#pragma once

#include "cuda/recurrence_plan.h"

/// Which instance of the team kernels multiplies for a pass, and how it divides a block.
namespace slim::cuda {

enum class Pass : uint8_t { kForward, kBackward };

struct TeamEngine {
  Precision precision = Precision::kFloat32;  // of what is multiplied
  int kernel = -1;                            // in the precision's table of instances; -1 where none serves
  int group_units = 0;                        // owned by the same warps
  int group_warps = 0;
  int most_groups = 0;  // of a block
  int slices = 0;       // parts of the depth, each with warps of its own
  int most_sequences = 0;
  int vectors = 0;        // rows that a sequence has in a round
  int row_stride = 0;     // words from row to row of a round
  int row_words = 0;      // of a row that are exchanged
  int cluster_words = 1;  // that a block of a cluster sends at once: there a row has whole ones
  int sum_stride = 0;     // floats of shared memory that a warp needs for the sums of a sequence
};

/// For a precision that the device has (precisions.h), and a layer with at least one full product. An engine's sums
/// have the same bits whatever the blocks of a team.
TeamEngine ChooseTeamEngine(Precision precision, const RecurrencePlan& plan, Pass pass);

}  // namespace slim::cuda
