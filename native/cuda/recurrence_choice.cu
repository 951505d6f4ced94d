#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <set>
#include <string>

#include "cuda/context.h"
#include "cuda/cudnn.h"
#include "cuda/recurrence_choice.h"
#include "cuda/recurrence_scan.h"
#include "errors.h"

namespace slim::cuda {
namespace {

// Clusters of more are not on every device, and leave more multiprocessors over.
constexpr int kUsualCluster = 8;

const char* NameOf(TeamKind kind) {
  switch (kind) {
    case TeamKind::kBlock:
      return "block";
    case TeamKind::kCluster:
      return "cluster";
    case TeamKind::kGrid:
      return "grid";
  }
  return "";
}

std::string InWords(const RecurrencePlan& plan, Pass pass) {
  return std::string("recurrence ") + (pass == Pass::kForward ? "forward" : "backward") + ", batch " +
         std::to_string(plan.batch) + ", steps " + std::to_string(plan.steps) + ", units " +
         std::to_string(plan.units) + ", " + std::to_string(plan.full_blocks) + " full recurrent products: ";
}

std::string InWords(const CudaContext& context, const RecurrenceChoice& choice) {
  if (choice.kernel == RecurrenceKernel::kScan) return "scan";
  if (choice.kernel == RecurrenceKernel::kGraph) return std::string("graph, products in ") + NameOf(context.precision);
  const TeamChoice& team = choice.team;
  return std::string(NameOf(team.kind)) + ", " + std::to_string(team.teams) + " teams of " +
         std::to_string(team.blocks) + " blocks of " + std::to_string(team.threads) + " threads, " +
         std::to_string(team.sequences) + " sequences at a time, products in " + NameOf(team.engine.precision);
}

void TellOnce(const RecurrencePlan& plan, Pass pass, const std::string& choice) {
  static std::mutex mutex;
  static std::set<std::string> told;
  const std::string text = InWords(plan, pass) + choice;
  const std::lock_guard<std::mutex> lock(mutex);
  if (told.insert(text).second) std::fprintf(stderr, "slim-lstm: %s\n", text.c_str());
}

[[noreturn]] void Refuse(const char* expected, const std::string& received) {
  throw Error(ErrorCode::kInvalidArgument,
              std::string("Expected ") + expected + " for SLIM_LSTM_KERNEL but received " + received);
}

RecurrenceChoice ChooseNamed(const CudaContext& context, const RecurrencePlan& plan, Pass pass,
                             const std::string& named) {
  const size_t colon = named.find(':');
  const std::string name = named.substr(0, colon);
  const int blocks = colon == std::string::npos ? 0 : std::atoi(named.c_str() + colon + 1);
  if (colon != std::string::npos && blocks < 1) Refuse("a positive integer behind the colon", named);
  if (name == "graph") return {};
  if (name == "scan") {
    if (!ScanServes(plan)) Refuse("a kernel that serves the layer", "scan: units see each other");
    return {RecurrenceKernel::kScan, {}};
  }
  for (const TeamKind kind : {TeamKind::kBlock, TeamKind::kCluster, TeamKind::kGrid}) {
    if (name != NameOf(kind)) continue;
    RecurrenceChoice choice = {RecurrenceKernel::kTeam, ChooseTeam(context, plan, pass, kind, blocks)};
    if (!choice.team.Serves()) Refuse("a kernel that serves the layer", named + ": " + choice.team.reason);
    return choice;
  }
  Refuse("scan, block, cluster, grid or graph", named);
}

RecurrenceChoice ChooseBest(const CudaContext& context, const RecurrencePlan& plan, Pass pass) {
  if (ScanServes(plan)) return {RecurrenceKernel::kScan, {}};
  for (const TeamKind kind : {TeamKind::kBlock, TeamKind::kCluster, TeamKind::kGrid}) {
    const TeamChoice team = ChooseTeam(context, plan, pass, kind, 0);
    if (!team.Serves() || (kind == TeamKind::kCluster && team.blocks > kUsualCluster)) continue;
    return {RecurrenceKernel::kTeam, team};
  }
  return {};
}

}  // namespace

RecurrenceChoice ChooseKernel(const CudaContext& context, const RecurrencePlan& plan, Pass pass) {
  const std::string& asked = context.kernel_asked;
  RecurrenceChoice choice = asked.empty() ? ChooseBest(context, plan, pass) : ChooseNamed(context, plan, pass, asked);
  if (context.tells_kernels) TellOnce(plan, pass, InWords(context, choice));
  return choice;
}

bool TakesCudnn(const RecurrenceShape& shape) { return shape.implementation == Implementation::kCudnn; }

void TellCudnn(const CudaContext& context, const RecurrencePlan& plan, Pass pass) {
  if (context.tells_kernels) TellOnce(plan, pass, "cuDNN " + CudnnLibrary().version);
}

void TellWithoutCudnn(const CudaContext& context, const RecurrencePlan& plan, Pass pass) {
  if (context.tells_kernels)
    TellOnce(plan, pass, "own kernels, as cuDNN needs more memory for this batch than for a larger one");
}

void TellFallback(const CudaContext& context, const RecurrencePlan& plan, Pass pass, const char* reason) {
  if (context.tells_kernels) TellOnce(plan, pass, std::string("graph instead of a grid: ") + reason);
}

}  // namespace slim::cuda
