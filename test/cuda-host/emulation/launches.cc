// What a launch may ask of the card, and how it gets to a stream.

#include <algorithm>
#include <cstring>
#include <mutex>

#include "emulation/failure.h"
#include "emulation/grid.h"
#include "emulation/state.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace emulated {
namespace {

using Lock = std::lock_guard<std::recursive_mutex>;

int64_t Count(const dim3& extent) { return int64_t{extent.x} * extent.y * extent.z; }

// Without arguments, namespaces in front, and return type.
std::string ShortName(std::string name) {
  const size_t parenthesis = name.rfind('(');
  if (parenthesis != std::string::npos && parenthesis > 0) name.resize(parenthesis);
  for (const char* noise : {"(anonymous namespace)::", "slim::cuda::", "void "}) {
    for (size_t at; (at = name.find(noise)) != std::string::npos;) name.erase(at, std::strlen(noise));
  }
  return name;
}

const std::string& NameOf(State& state, KernelAddress kernel) {
  std::string& name = state.names[kernel];
  if (!name.empty()) return name;
  char text[512] = "a kernel";
#if defined(__SANITIZE_ADDRESS__)
  // The address sanitizer takes a return address, which lies behind the instruction meant.
  __sanitizer_symbolize_pc(reinterpret_cast<char*>(kernel) + 1, "%f", text, sizeof(text));
#endif
  return name = ShortName(text);
}

struct CheckedLaunch {
  GridLaunch launch;
  cudaError_t error = cudaSuccess;
};

CheckedLaunch Check(State& state, const cudaLaunchConfig_t& configuration, KernelAddress kernel) {
  CheckedLaunch checked;
  GridLaunch& launch = checked.launch;
  const Card& card = state.card;
  launch.grid = configuration.gridDim;
  launch.block = configuration.blockDim;
  launch.shared_bytes = configuration.dynamicSmemBytes;
  launch.capability = card.major * 10 + card.minor;
  for (unsigned int i = 0; i < configuration.numAttrs; ++i) {
    const cudaLaunchAttribute& attribute = configuration.attrs[i];
    if (attribute.id == cudaLaunchAttributeCooperative) {
      launch.cooperative = attribute.val.cooperative != 0;
    } else {
      launch.cluster = attribute.val.clusterDim.x;
      if (attribute.val.clusterDim.y != 1 || attribute.val.clusterDim.z != 1) {
        throw Failure("Clusters are emulated along x alone");
      }
    }
  }
  const FunctionSettings settings = state.functions[kernel];
  const int64_t threads = Count(launch.block);
  const dim3& grid = launch.grid;
  const bool wrong_extent = Count(grid) <= 0 || threads <= 0 || threads > 1024 || launch.block.z > 64 ||
                            grid.x > 0x7FFFFFFFu || grid.y > 65535 || grid.z > 65535;
  const unsigned int most_blocks = settings.large_clusters ? 16 : 8;
  const bool wrong_cluster = launch.cluster == 0 || grid.x % launch.cluster != 0 || launch.cluster > most_blocks;
  if (wrong_extent || wrong_cluster) {
    checked.error = cudaErrorInvalidConfiguration;
  } else if (launch.shared_bytes > settings.dynamic_shared || launch.shared_bytes > card.shared_per_block) {
    checked.error = cudaErrorInvalidValue;
  } else if (launch.cluster > 1 && card.major < 9) {
    checked.error = cudaErrorNotSupported;
  } else {
    const int per_multiprocessor = ResidentBlocks(card, threads, launch.shared_bytes);
    const int64_t resident =
        int64_t{per_multiprocessor} * std::max(0, card.multiprocessors - state.taken_multiprocessors);
    if (per_multiprocessor == 0) checked.error = cudaErrorLaunchOutOfResources;
    if (launch.cooperative && Count(grid) > resident) checked.error = cudaErrorCooperativeLaunchTooLarge;
    if (launch.cooperative && state.refusal != cudaSuccess) checked.error = state.refusal;
    const int64_t in_group = int64_t{per_multiprocessor} * card.multiprocessors_per_cluster_group;
    if (launch.cluster > 1 && launch.cluster > in_group) checked.error = cudaErrorInvalidConfiguration;
  }
  return checked;
}

}  // namespace

int ResidentBlocks(const Card& card, int64_t threads, size_t shared_bytes) {
  // The driver keeps a kilobyte of a block's shared memory for itself.
  constexpr size_t kReservedShared = 1024;
  const int64_t by_threads = card.threads_per_multiprocessor / threads;
  const int64_t by_registers = card.registers_per_multiprocessor / (threads * card.registers_per_thread);
  const auto by_shared = static_cast<int64_t>(card.shared_per_multiprocessor / (shared_bytes + kReservedShared));
  return static_cast<int>(
      std::min({by_threads, by_registers, by_shared, static_cast<int64_t>(card.blocks_per_multiprocessor)}));
}

cudaError_t SetFunctionAttribute(KernelAddress kernel, cudaFuncAttribute attribute, int value) {
  State& state = TheState();
  const Lock lock(state.mutex);
  if (state.lost != cudaSuccess) return Answer(state.lost);
  FunctionSettings& settings = state.functions[kernel];
  switch (attribute) {
    case cudaFuncAttributeMaxDynamicSharedMemorySize:
      if (value < 0 || static_cast<size_t>(value) > state.card.shared_per_block) return Answer(cudaErrorInvalidValue);
      settings.dynamic_shared = static_cast<size_t>(value);
      break;
    case cudaFuncAttributeNonPortableClusterSizeAllowed:
      settings.large_clusters = value != 0;
      break;
    case cudaFuncAttributePreferredSharedMemoryCarveout:
      break;
  }
  return cudaSuccess;
}

cudaError_t GetFunctionAttributes(cudaFuncAttributes* attributes, KernelAddress kernel) {
  State& state = TheState();
  const Lock lock(state.mutex);
  if (state.lost != cudaSuccess) return Answer(state.lost);
  const Card& card = state.card;
  *attributes = {};
  attributes->numRegs = card.registers_per_thread;
  attributes->maxThreadsPerBlock = std::min(1024, card.registers_per_multiprocessor / card.registers_per_thread);
  attributes->maxDynamicSharedSizeBytes = static_cast<int>(state.functions[kernel].dynamic_shared);
  return cudaSuccess;
}

cudaError_t GetFunctionName(const char** name, KernelAddress kernel) {
  State& state = TheState();
  const Lock lock(state.mutex);
  *name = NameOf(state, kernel).c_str();
  return cudaSuccess;
}

cudaError_t OccupancyBlocks(int* blocks, KernelAddress kernel, int threads, size_t shared_bytes) {
  State& state = TheState();
  const Lock lock(state.mutex);
  if (state.lost != cudaSuccess) return Answer(state.lost);
  if (threads <= 0 || threads > 1024) return Answer(cudaErrorInvalidValue);
  const bool fits = shared_bytes <= state.functions[kernel].dynamic_shared;
  *blocks = fits ? ResidentBlocks(state.card, threads, shared_bytes) : 0;
  return cudaSuccess;
}

cudaError_t OccupancyClusters(int* clusters, KernelAddress kernel, const cudaLaunchConfig_t* configuration) {
  State& state = TheState();
  const Lock lock(state.mutex);
  if (state.lost != cudaSuccess) return Answer(state.lost);
  const CheckedLaunch checked = Check(state, *configuration, kernel);
  *clusters = 0;
  if (checked.error == cudaErrorNotSupported) return Answer(checked.error);
  if (checked.error != cudaSuccess) return cudaSuccess;
  const Card& card = state.card;
  const int blocks = ResidentBlocks(card, Count(configuration->blockDim), configuration->dynamicSmemBytes);
  const int groups = card.multiprocessors / card.multiprocessors_per_cluster_group;
  *clusters = groups * (blocks * card.multiprocessors_per_cluster_group / static_cast<int>(checked.launch.cluster));
  return cudaSuccess;
}

cudaError_t LaunchKernel(const cudaLaunchConfig_t* configuration, KernelAddress kernel, std::function<void()> thread) {
  State& state = TheState();
  const Lock lock(state.mutex);
  if (state.lost != cudaSuccess) return Answer(state.lost);
  CheckedLaunch checked = Check(state, *configuration, kernel);
  if (checked.error != cudaSuccess) return Answer(checked.error);
  checked.launch.thread = std::move(thread);
  return Answer(Enqueue(configuration->stream, [launch = std::move(checked.launch), kernel, &state]() mutable {
    if (state.lost != cudaSuccess) return;
    if (state.launches_to_loss > 0 && --state.launches_to_loss == 0) {
      state.lost = state.loss;
      return;
    }
    ++state.counted.launches;
    launch.kernel = NameOf(state, kernel);
    state.counted.switches += RunGrid(launch, state.random);
  }));
}

}  // namespace emulated
