#include <algorithm>
#include <limits>

#include "cuda/check.h"
#include "cuda/context.h"
#include "cuda/launch.h"
#include "cuda/memory_operations.h"
#include "cuda/recurrence_team.h"
#include "cuda/recurrence_team_lane.h"

namespace slim::cuda {
namespace {

struct Instance {
  int gates;
  int warp_units;
  int most_units;      // of the layer
  int most_warps;      // of a block
  int most_sequences;  // of a tile
  bool dropout;        // a vector for each block
};

#define SLIM_INSTANCE(blocks, units, depth, dropout)                                                                 \
  Instance{blocks<units, depth>::kGates,     blocks<units, depth>::kUnits,         blocks<units, depth>::kMostUnits, \
           blocks<units, depth>::kMostWarps, blocks<units, depth>::kMostSequences, dropout},
constexpr Instance kInstances[] = {SLIM_TEAM_INSTANCES(SLIM_INSTANCE)};
#undef SLIM_INSTANCE

constexpr int kLargestCluster = 16;
constexpr int kPortableCluster = 8;

// The first that serves is the one of least depth.
int FindInstance(const RecurrencePlan& plan) {
  const int gates = plan.full_blocks == 1 ? 1 : kBlocks;
  const bool dropout = gates > 1 && plan.recurrent_dropout;
  for (size_t i = 0; i < std::size(kInstances); ++i) {
    const Instance& instance = kInstances[i];
    if (instance.gates == gates && instance.dropout == dropout && instance.most_units >= plan.units) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

TeamShape ShapeOf(const RecurrencePlan& plan, Pass pass, const TeamChoice& choice) {
  const Instance& instance = kInstances[choice.kernel];
  TeamShape shape = {};
  shape.kind = choice.kind;
  shape.blocks = choice.blocks;
  shape.sequences = choice.sequences;
  shape.vectors = pass == Pass::kForward && !instance.dropout ? 1 : instance.gates;
  shape.depth = instance.most_units;
  shape.units = static_cast<int>(plan.units);
  return shape;
}

size_t SharedBytes(const RecurrencePlan& plan, Pass pass, const TeamChoice& choice) {
  const int thread_floats = pass == Pass::kForward ? ForwardStore::kFloats : BackwardStore::kFloats;
  return ShapeOf(plan, pass, choice).SharedBytes() +
         static_cast<size_t>(thread_floats) * static_cast<size_t>(choice.threads) * sizeof(float);
}

// Teams that the device holds at a time; blocks of a grid and of a cluster must be resident together.
template <class Kernel>
int ResidentTeams(const CudaContext& context, const TeamChoice& choice, Kernel kernel) {
  AllowSharedMemory(kernel, choice.shared_bytes);
  if (choice.kind == TeamKind::kCluster && choice.blocks > 1) {
    if (choice.blocks > kPortableCluster) AllowLargeClusters(kernel);
    cudaLaunchAttribute attribute;
    attribute.id = cudaLaunchAttributeClusterDimension;
    attribute.val.clusterDim.x = static_cast<unsigned>(choice.blocks);
    attribute.val.clusterDim.y = attribute.val.clusterDim.z = 1;
    cudaLaunchConfig_t configuration = {};
    configuration.gridDim = dim3(static_cast<unsigned>(choice.blocks));
    configuration.blockDim = dim3(static_cast<unsigned>(choice.threads));
    configuration.dynamicSmemBytes = choice.shared_bytes;
    configuration.attrs = &attribute;
    configuration.numAttrs = 1;
    int clusters = 0;
    if (cudaOccupancyMaxActiveClusters(&clusters, kernel, &configuration) != cudaSuccess) {
      static_cast<void>(cudaGetLastError());
      return 0;
    }
    return clusters;
  }
  int blocks = 0;
  Check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, choice.threads, choice.shared_bytes),
        "ask how many blocks are resident");
  return std::min(blocks * context.device.multiprocessors, TeamMemory::kMostBlocks) / choice.blocks;
}

int ResidentTeams(const CudaContext& context, Pass pass, const TeamChoice& choice) {
  return pass == Pass::kForward ? ResidentTeams(context, choice, kTeamForwardKernels[choice.kernel])
                                : ResidentTeams(context, choice, kTeamBackwardKernels[choice.kernel]);
}

TeamChoice Refusal(const std::string& reason) {
  TeamChoice choice;
  choice.reason = reason;
  return choice;
}

TeamLaunch LaunchOf(const RecurrencePlan& plan, Pass pass, const TeamChoice& choice, const TeamMemory& memory) {
  TeamLaunch launch = {ShapeOf(plan, pass, choice), choice.block_units, 0};
  launch.team.states = memory.states;
  launch.team.flags = memory.flags;
  launch.tiles = static_cast<int>((plan.batch + choice.sequences - 1) / choice.sequences);
  return launch;
}

template <class Operands>
void LaunchTeams(const CudaContext& context, const RecurrencePlan& plan, Pass pass, const TeamChoice& choice,
                 void (*kernel)(TeamLaunch, Operands), const Operands& operands, const TeamMemory& memory) {
  if (choice.kind == TeamKind::kGrid) Zero(context, memory.flags, TeamMemory::kMostBlocks * sizeof(uint32_t));
  AllowSharedMemory(kernel, choice.shared_bytes);
  if (choice.kind == TeamKind::kCluster && choice.blocks > kPortableCluster) AllowLargeClusters(kernel);
  LaunchShape shape;
  shape.grid = dim3(static_cast<unsigned>(choice.teams * choice.blocks));
  shape.block = dim3(static_cast<unsigned>(choice.threads));
  shape.shared_bytes = choice.shared_bytes;
  if (choice.kind == TeamKind::kCluster) shape.cluster = static_cast<unsigned>(choice.blocks);
  shape.cooperative = choice.kind == TeamKind::kGrid;
  Launch(kernel, shape, context.stream, LaunchOf(plan, pass, choice, memory), operands);
}

}  // namespace

TeamChoice ChooseTeam(const CudaContext& context, const RecurrencePlan& plan, Pass pass, TeamKind kind, int blocks) {
  if (plan.full_blocks == 0) return Refusal("no block has a full recurrent product");
  if (plan.cell.activation == Activation::kSoftmax) return Refusal("softmax needs the whole row of a step");
  if (kind == TeamKind::kCluster && !context.device.clusters) {
    return Refusal("clusters need compute capability 9.0, the device has " +
                   std::to_string(context.device.capability / 10) + "." +
                   std::to_string(context.device.capability % 10));
  }
  if (plan.positions > std::numeric_limits<int32_t>::max()) return Refusal("there are too many positions");
  TeamChoice choice;
  choice.kind = kind;
  choice.kernel = FindInstance(plan);
  if (choice.kernel < 0) return Refusal(std::to_string(plan.units) + " units are too many");
  const Instance& instance = kInstances[choice.kernel];
  const auto units = static_cast<int>(plan.units);
  const auto divide = [](int a, int b) { return (a + b - 1) / b; };
  const int fewest = divide(units, instance.warp_units * instance.most_warps);
  const int most = kind == TeamKind::kBlock ? 1 : kind == TeamKind::kCluster ? kLargestCluster : units;
  if (blocks > most && kind != TeamKind::kGrid)
    return Refusal("a team has at most " + std::to_string(most) + " blocks");
  if (fewest > most || (blocks > 0 && blocks < fewest)) {
    return Refusal("the weights take " + std::to_string(fewest) + " blocks or more");
  }
  // Whole warps; every block has units.
  const int warps = divide(divide(units, std::max(blocks, fewest)), instance.warp_units);
  choice.threads = warps * 32;
  choice.block_units = warps * instance.warp_units;
  choice.blocks = divide(units, choice.block_units);

  // Tiles as small as the device's teams allow: a step takes longer the more sequences it has.
  for (int sequences = 1; sequences <= instance.most_sequences; sequences *= 2) {
    TeamChoice larger = choice;
    larger.sequences = sequences;
    larger.shared_bytes = SharedBytes(plan, pass, larger);
    if (larger.shared_bytes > context.device.shared_per_block) break;
    const int64_t tiles = (plan.batch + sequences - 1) / sequences;
    const int resident = ResidentTeams(context, pass, larger);
    if (resident == 0) break;
    larger.teams = static_cast<int>(std::min<int64_t>(resident, tiles));
    choice = larger;
    if (resident >= tiles) break;
  }
  if (choice.teams == 0) choice.reason = "a team's blocks are not resident together on this device";
  return choice;
}

void TeamForward(const CudaContext& context, const RecurrencePlan& plan, const TeamChoice& choice,
                 const TeamForwardOperands& operands, const TeamMemory& memory) {
  LaunchTeams(context, plan, Pass::kForward, choice, kTeamForwardKernels[choice.kernel], operands, memory);
}

void TeamBackward(const CudaContext& context, const RecurrencePlan& plan, const TeamChoice& choice,
                  const TeamBackwardOperands& operands, const TeamMemory& memory) {
  LaunchTeams(context, plan, Pass::kBackward, choice, kTeamBackwardKernels[choice.kernel], operands, memory);
}

}  // namespace slim::cuda
