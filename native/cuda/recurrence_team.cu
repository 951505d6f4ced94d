#include <algorithm>
#include <limits>

#include "cuda/check.h"
#include "cuda/context.h"
#include "cuda/launch.h"
#include "cuda/memory_operations.h"
#include "cuda/recurrence_team.h"
#include "cuda/recurrence_team_kernels.h"
#include "cuda/recurrence_team_lane.h"

namespace slim::cuda {
namespace {

constexpr int kLargestCluster = 16;
constexpr int kPortableCluster = 8;

TeamShape ShapeOf(const TeamChoice& choice) {
  TeamShape shape = {};
  shape.kind = choice.kind;
  shape.blocks = choice.blocks;
  shape.sequences = choice.sequences;
  shape.vectors = choice.engine.vectors;
  shape.row_stride = choice.engine.row_stride;
  shape.row_words = choice.engine.row_words;
  if (choice.kind == TeamKind::kCluster) {
    const int whole = choice.engine.cluster_words;
    shape.row_words = (shape.row_words + whole - 1) / whole * whole;
  }
  return shape;
}

size_t SharedBytes(Pass pass, const TeamChoice& choice) {
  const int thread_floats = pass == Pass::kForward ? ForwardStore::kFloats : BackwardStore::kFloats;
  const int floats = thread_floats * choice.threads + choice.threads / 32 * choice.sequences * choice.engine.sum_stride;
  return ShapeOf(choice).SharedBytes() + static_cast<size_t>(floats) * sizeof(float);
}

TeamForwardFunction ForwardKernel(const TeamEngine& engine) {
  const bool lanes = engine.precision == Precision::kFloat32;
  return lanes ? kLaneForwardKernels[engine.kernel] : kMatrixForwardKernels[engine.kernel];
}

TeamBackwardFunction BackwardKernel(const TeamEngine& engine) {
  const bool lanes = engine.precision == Precision::kFloat32;
  return lanes ? kLaneBackwardKernels[engine.kernel] : kMatrixBackwardKernels[engine.kernel];
}

// Teams that the device holds at a time; blocks of a grid and of a cluster must be resident together. From now on the
// kernel may be launched so. What it is allowed is the kernel's, whoever launches it: all that the device has, so that
// another thread's choice in between takes nothing away.
template <class Kernel>
int ResidentTeams(const CudaContext& context, const TeamChoice& choice, Kernel kernel) {
  AllowSharedMemory(kernel, context.device.shared_per_block);
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
  return pass == Pass::kForward ? ResidentTeams(context, choice, ForwardKernel(choice.engine))
                                : ResidentTeams(context, choice, BackwardKernel(choice.engine));
}

TeamChoice Refusal(const std::string& reason) {
  TeamChoice choice;
  choice.reason = reason;
  return choice;
}

TeamLaunch LaunchOf(const RecurrencePlan& plan, const TeamChoice& choice, const TeamMemory& memory) {
  TeamLaunch launch = {};
  launch.team = ShapeOf(choice);
  launch.units = static_cast<int>(plan.units);
  launch.block_units = choice.block_units;
  launch.group_warps = choice.engine.group_warps;
  launch.slices = choice.engine.slices;
  launch.team.states = memory.states;
  launch.team.flags = memory.flags;
  launch.tiles = static_cast<int>((plan.batch + choice.sequences - 1) / choice.sequences);
  return launch;
}

void ClearGrid(const CudaContext& context, const TeamChoice& choice, const TeamMemory& memory) {
  Zero(context, memory.flags, TeamMemory::kMostBlocks * sizeof(uint32_t));
  const TeamShape shape = ShapeOf(choice);
  const int row = TeamShape::GridRow(shape.row_words);
  if (row == shape.row_words) return;
  Zero(context, memory.states,
       sizeof(float) * 2 * static_cast<size_t>(choice.teams * shape.Rows()) * static_cast<size_t>(row));
}

template <class Operands>
void LaunchTeams(const CudaContext& context, const RecurrencePlan& plan, const TeamChoice& choice,
                 void (*kernel)(TeamLaunch, Operands), const Operands& operands, const TeamMemory& memory) {
  if (choice.kind == TeamKind::kGrid) ClearGrid(context, choice, memory);
  LaunchShape shape;
  shape.grid = dim3(static_cast<unsigned>(choice.teams * choice.blocks));
  shape.block = dim3(static_cast<unsigned>(choice.threads));
  shape.shared_bytes = choice.shared_bytes;
  if (choice.kind == TeamKind::kCluster) shape.cluster = static_cast<unsigned>(choice.blocks);
  shape.cooperative = choice.kind == TeamKind::kGrid;
  Launch(kernel, shape, context.stream, LaunchOf(plan, choice, memory), operands);
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
  choice.engine = ChooseTeamEngine(context.precision, plan, pass);
  const TeamEngine& engine = choice.engine;
  if (engine.kernel < 0) return Refusal(std::to_string(plan.units) + " units are too many");
  const auto units = static_cast<int>(plan.units);
  const auto divide = [](int a, int b) { return (a + b - 1) / b; };
  const int fewest = divide(units, engine.group_units * engine.most_groups);
  const int most = kind == TeamKind::kBlock ? 1 : kind == TeamKind::kCluster ? kLargestCluster : units;
  if (blocks > most && kind != TeamKind::kGrid)
    return Refusal("a team has at most " + std::to_string(most) + " blocks");
  if (fewest > most || (blocks > 0 && blocks < fewest)) {
    return Refusal("the weights take " + std::to_string(fewest) + " blocks or more");
  }
  // Whole groups of warps; every block has units.
  const int groups = divide(divide(units, std::max(blocks, fewest)), engine.group_units);
  choice.threads = groups * engine.group_warps * 32;
  choice.block_units = groups * engine.group_units;
  choice.blocks = divide(units, choice.block_units);

  // Tiles as small as the device's teams allow: a step takes longer the more sequences it has.
  for (int sequences = 1; sequences <= engine.most_sequences; sequences *= 2) {
    TeamChoice larger = choice;
    larger.sequences = sequences;
    larger.shared_bytes = SharedBytes(pass, larger);
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
  LaunchTeams(context, plan, choice, ForwardKernel(choice.engine), operands, memory);
}

void TeamBackward(const CudaContext& context, const RecurrencePlan& plan, const TeamChoice& choice,
                  const TeamBackwardOperands& operands, const TeamMemory& memory) {
  LaunchTeams(context, plan, choice, BackwardKernel(choice.engine), operands, memory);
}

}  // namespace slim::cuda
