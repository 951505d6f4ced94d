#include <algorithm>
#include <iterator>

#include "cuda/recurrence_lane_engine.h"
#include "cuda/recurrence_matrix_engine.h"
#include "cuda/recurrence_memory.h"
#include "cuda/recurrence_team_engine.h"

namespace slim::cuda {
namespace {

struct LaneInstance {
  int gates;
  int warp_units;
  int most_units;      // of the layer
  int most_warps;      // of a block
  int most_sequences;  // of a tile
  int cluster_words;   // sent at once
  bool dropout;        // a vector for each block
};

#define SLIM_INSTANCE(blocks, units, depth, dropout) \
  LaneInstance{blocks<units, depth>::kGates,         \
               blocks<units, depth>::kUnits,         \
               blocks<units, depth>::kMostUnits,     \
               blocks<units, depth>::kMostWarps,     \
               blocks<units, depth>::kMostSequences, \
               blocks<units, depth>::kClusterWords,  \
               dropout},
constexpr LaneInstance kLaneInstances[] = {SLIM_LANE_INSTANCES(SLIM_INSTANCE)};
#undef SLIM_INSTANCE

struct MatrixInstance {
  Precision precision;
  int word_elements;
  int row_tiles;
};

#define SLIM_INSTANCE(precision, format, row_tiles) MatrixInstance{precision, format::kElements, row_tiles},
constexpr MatrixInstance kMatrixInstances[] = {SLIM_MATRIX_INSTANCES(SLIM_INSTANCE)};
#undef SLIM_INSTANCE

int Divide(int a, int b) { return (a + b - 1) / b; }

// The first that serves is the one of least depth.
TeamEngine ChooseLanes(const RecurrencePlan& plan, Pass pass) {
  const int gates = plan.full_blocks == 1 ? 1 : kBlocks;
  const bool dropout = gates > 1 && plan.recurrent_dropout;
  for (size_t i = 0; i < std::size(kLaneInstances); ++i) {
    const LaneInstance& instance = kLaneInstances[i];
    if (instance.gates != gates || instance.dropout != dropout || instance.most_units < plan.units) continue;
    TeamEngine engine;
    engine.kernel = static_cast<int>(i);
    engine.group_units = instance.warp_units;
    engine.group_warps = engine.slices = 1;
    engine.most_groups = instance.most_warps;
    engine.most_sequences = instance.most_sequences;
    engine.vectors = pass == Pass::kForward && !dropout ? 1 : gates;
    engine.row_stride = instance.most_units;
    engine.row_words = static_cast<int>(plan.units);
    engine.cluster_words = instance.cluster_words;
    return engine;
  }
  return {};
}

TeamEngine DivideMatrix(const RecurrencePlan& plan, Pass pass, const MatrixInstance& instance) {
  const int words = Divide(static_cast<int>(plan.units), instance.word_elements);
  const int batches = MatrixLimits::RowBatches(words, instance.row_tiles);
  TeamEngine engine;
  engine.precision = instance.precision;
  engine.group_units = MatrixLimits::GroupUnits(instance.row_tiles);
  engine.slices = Divide(batches, MatrixLimits::Batches(instance.row_tiles));
  engine.group_warps = plan.full_blocks * engine.slices;
  engine.most_groups = MatrixLimits::kMostWarps / engine.group_warps;
  // Each lane of a group owns one unit of one sequence.
  engine.most_sequences = std::min(engine.group_warps * 32 / engine.group_units, TeamMemory::kMostSequences);
  engine.vectors = pass == Pass::kForward && !plan.recurrent_dropout ? 1 : plan.full_blocks;
  engine.row_stride = MatrixLimits::RowStride(batches);
  engine.row_words = words;
  engine.cluster_words = MatrixLimits::kClusterWords;
  engine.sum_stride = MatrixLimits::SumStride(engine.group_units);
  return engine;
}

// The one of fewest blocks, of several the first.
TeamEngine ChooseMatrix(Precision precision, const RecurrencePlan& plan, Pass pass) {
  TeamEngine best;
  int fewest = 0;
  for (size_t i = 0; i < std::size(kMatrixInstances); ++i) {
    if (kMatrixInstances[i].precision != precision) continue;
    TeamEngine engine = DivideMatrix(plan, pass, kMatrixInstances[i]);
    if (engine.most_groups == 0 || engine.most_sequences == 0) continue;
    const int blocks = Divide(static_cast<int>(plan.units), engine.most_groups * engine.group_units);
    if (best.kernel >= 0 && blocks >= fewest) continue;
    engine.kernel = static_cast<int>(i);
    best = engine;
    fewest = blocks;
  }
  return best;
}

}  // namespace

TeamEngine ChooseTeamEngine(Precision precision, const RecurrencePlan& plan, Pass pass) {
  return precision == Precision::kFloat32 ? ChooseLanes(plan, pass) : ChooseMatrix(precision, plan, pass);
}

}  // namespace slim::cuda
