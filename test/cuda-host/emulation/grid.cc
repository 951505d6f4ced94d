#include "emulation/grid.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>

#include "emulation/device_language.h"
#include "emulation/emulator.h"
#include "emulation/failure.h"
#include "emulation/grid_state.h"

namespace emulated {
namespace {

GridRun* current_grid = nullptr;
int64_t clock_before = 0;  // of grids that are done

// Stacks are kept, as a launch needs one for each of its threads.
std::vector<std::unique_ptr<FiberStack>>& SpareStacks() {
  static std::vector<std::unique_ptr<FiberStack>> stacks;
  return stacks;
}

std::unique_ptr<FiberStack> TakeStack() {
  auto& spare = SpareStacks();
  if (spare.empty()) return std::make_unique<FiberStack>();
  std::unique_ptr<FiberStack> stack = std::move(spare.back());
  spare.pop_back();
  return stack;
}

void GiveBack(std::unique_ptr<FiberStack> stack) {
  if (stack == nullptr) return;
  SpareStacks().push_back(std::move(stack));
}

uint3 IndexOf(int64_t number, const dim3& extent) {
  const auto n = static_cast<uint64_t>(number);
  return {static_cast<unsigned int>(n % extent.x), static_cast<unsigned int>(n / extent.x % extent.y),
          static_cast<unsigned int>(n / extent.x / extent.y)};
}

int64_t Count(const dim3& extent) { return int64_t{extent.x} * extent.y * extent.z; }

std::string Text(const uint3& index) {
  return "(" + std::to_string(index.x) + ", " + std::to_string(index.y) + ", " + std::to_string(index.z) + ")";
}

std::string Text(const Place& place) {
  const std::string path = place.file;
  return path.substr(path.find_last_of('/') + 1) + ":" + std::to_string(place.line);
}

// Of exactly the asked size, so that the address sanitizer sees the first byte behind it.
std::byte* AllocateShared(size_t bytes) {
  constexpr size_t kAlignment = 1024;
  void* memory = nullptr;
  if (posix_memalign(&memory, kAlignment, std::max<size_t>(bytes, 1)) != 0) throw std::bad_alloc();
  for (size_t i = 0; i < bytes; i += sizeof(kPoison)) {
    std::memcpy(static_cast<std::byte*>(memory) + i, &kPoison, std::min(sizeof(kPoison), bytes - i));
  }
  return static_cast<std::byte*>(memory);
}

constexpr size_t kMostConcurrentBlocks = 4;
constexpr int64_t kMostConcurrentThreads = 4096;

}  // namespace

GridRun& CurrentGrid() {
  if (current_grid == nullptr) throw Failure("Code of a kernel was called from the host");
  return *current_grid;
}

bool InKernel() { return current_grid != nullptr; }

GridRun::GridRun(const GridLaunch& launch, Random& random)
    : launch_(launch),
      random_(random),
      order_(static_cast<Order>(random.Below(3))),
      late_stores_(random.OneIn(2)),
      early_copies_(random.OneIn(2)) {
  const int64_t clusters = Count(launch.grid) / launch.cluster;
  for (int64_t i = 0; i < clusters; ++i) waiting_clusters_.push_back(i);
  for (size_t i = waiting_clusters_.size(); i > 1; --i)
    std::swap(waiting_clusters_[i - 1], waiting_clusters_[random.Below(i)]);
  const int64_t cluster_threads = Count(launch.block) * launch.cluster;
  most_clusters_ = launch.cooperative
                       ? waiting_clusters_.size()
                       : std::min<size_t>(1 + random.Below(kMostConcurrentBlocks),
                                          std::max<int64_t>(1, kMostConcurrentThreads / cluster_threads));
  current_grid = this;
}

GridRun::~GridRun() {
  Abandon();
  clock_before += switches_;
  current_grid = nullptr;
}

void GridRun::Abandon() {
  for (const auto& cluster : clusters_) {
    for (Block* block : cluster->blocks) {
      if (block == nullptr) continue;
      for (Thread& thread : block->threads) {
        if (thread.stack != nullptr) thread.stack->Clear();
        GiveBack(std::move(thread.stack));
      }
      std::free(block->shared);
      delete block;
    }
  }
  clusters_.clear();
}

void GridRun::Admit() {
  while (clusters_.size() < most_clusters_ && !waiting_clusters_.empty()) {
    const int64_t number = waiting_clusters_.back();
    waiting_clusters_.pop_back();
    StartCluster(number * launch_.cluster);
  }
}

void GridRun::StartCluster(int64_t first_block) {
  clusters_.push_back(std::make_unique<Cluster>());
  Cluster& cluster = *clusters_.back();
  for (unsigned int rank = 0; rank < launch_.cluster; ++rank) {
    auto* block = new Block;
    cluster.blocks.push_back(block);
    block->index = IndexOf(first_block + rank, launch_.grid);
    block->rank = rank;
    block->cluster = &cluster;
    block->shared = AllocateShared(launch_.shared_bytes);
    const auto threads = static_cast<size_t>(Count(launch_.block));
    block->threads.resize(threads);
    block->warps.resize((threads + kWarpLanes - 1) / kWarpLanes);
    block->cluster_arrivals.assign(threads, 0);
    block->live = static_cast<int>(threads);
    for (size_t i = 0; i < threads; ++i) {
      Thread& thread = block->threads[i];
      thread.block = block;
      thread.index = IndexOf(static_cast<int64_t>(i), launch_.block);
      thread.number = static_cast<int>(i);
      block->warps[i / kWarpLanes].lanes |= 1u << (i % kWarpLanes);
      runnable_.push_back(&thread);
    }
  }
}

int64_t GridRun::Run() {
  blockDim = launch_.block;
  gridDim = launch_.grid;
  for (;;) {
    Admit();
    if (clusters_.empty()) break;
    RunOne();
    if (failure_) std::rethrow_exception(failure_);
  }
  return switches_;
}

Thread* GridRun::TakeRunnable() {
  if (runnable_.empty()) return nullptr;
  if (order_ == Order::kRandom) std::swap(runnable_[random_.Below(runnable_.size())], runnable_.back());
  Thread* thread = order_ == Order::kOldestFirst ? runnable_.front() : runnable_.back();
  order_ == Order::kOldestFirst ? runnable_.pop_front() : runnable_.pop_back();
  return thread;
}

void GridRun::RunOne() {
  if (!late_stores_ && random_.OneIn(8)) DeliverOneStore();
  Thread* thread = TakeRunnable();
  if (thread == nullptr) {
    if (DeliverOneStore()) return;
    FailDeadlock();
  }
  // Threads that spin hold up those whose turn comes when nothing else runs.
  constexpr int64_t kIdleSwitches = 200000;
  const auto each_had_turns = static_cast<int64_t>(2 * runnable_.size() + 16);
  if (++idle_switches_ > each_had_turns && DeliverOneStore()) idle_switches_ = 0;
  if (idle_switches_ > kIdleSwitches) FailDeadlock();
  ++switches_;
  running_ = thread;
  threadIdx = thread->index;
  blockIdx = thread->block->index;
  if (thread->stack == nullptr) {
    thread->stack = TakeStack();
    PrepareFiber(thread->context, *thread->stack, &GridRun::ThreadMain);
  }
  SwitchFiber(scheduler_, thread->context);
  running_ = nullptr;
  if (thread->done && !failure_) EndThread(*thread);
}

void GridRun::ThreadMain() {
  GridRun& grid = *current_grid;
  BeginFiber(grid.scheduler_);
  try {
    grid.launch_.thread();
  } catch (...) {
    grid.failure_ = std::current_exception();
  }
  grid.running_->done = true;
  FinishFiber(grid.scheduler_);
}

void GridRun::EndThread(Thread& thread) {
  GiveBack(std::move(thread.stack));
  Block& block = *thread.block;
  if (!thread.uncommitted.empty() || !thread.copies.empty()) {
    throw Failure(Where(thread) + " ended before an asynchronous copy of its own was waited for");
  }
  if (!block.barrier.waiting.empty()) {
    throw Failure(Where(thread) + " ended while others of its block wait at a barrier (" + Text(block.barrier.place) +
                  ")");
  }
  Warp& warp = block.warps[static_cast<size_t>(thread.number / kWarpLanes)];
  const unsigned int lane = 1u << (thread.number % kWarpLanes);
  warp.lanes &= ~lane;
  for (const Meeting& meeting : warp.meetings) {
    if (meeting.mask & lane) {
      throw Failure(Where(thread) + " ended while others of its warp wait for it at a " + meeting.kind);
    }
  }
  Progress();
  if (--block.live == 0) EndBlock(block);
}

void GridRun::EndBlock(Block& block) {
  Cluster& cluster = *block.cluster;
  const auto inside = [&](const void* at) {
    return at >= block.shared && at < block.shared + std::max<size_t>(launch_.shared_bytes, 1);
  };
  for (const Copy& store : cluster.stores) {
    if (inside(store.to) || inside(store.barrier)) {
      throw Failure(launch_.kernel + ", block " + Text(block.index) +
                    ": ended while another block's asynchronous store to its shared memory was under way");
    }
  }
  std::free(block.shared);
  cluster.blocks[block.rank] = nullptr;
  delete &block;
  if (std::all_of(cluster.blocks.begin(), cluster.blocks.end(), [](const Block* b) { return b == nullptr; })) {
    EndCluster(cluster);
  }
}

void GridRun::EndCluster(Cluster& cluster) {
  const auto found =
      std::find_if(clusters_.begin(), clusters_.end(), [&](const auto& c) { return c.get() == &cluster; });
  clusters_.erase(found);
}

void GridRun::Deliver(const Copy& copy) {
  std::memcpy(copy.to, copy.from != nullptr ? copy.from : copy.value.data(), copy.value.size());
}

bool GridRun::DeliverOneStore() {
  std::vector<Cluster*> busy;
  for (const auto& cluster : clusters_) {
    if (!cluster->stores.empty()) busy.push_back(cluster.get());
  }
  if (busy.empty()) return false;
  std::vector<Copy>& stores = busy[random_.Below(busy.size())]->stores;
  std::swap(stores[random_.Below(stores.size())], stores.back());
  const Copy store = std::move(stores.back());
  stores.pop_back();
  Deliver(store);
  ArriveAt(store.barrier, 0, static_cast<unsigned int>(-static_cast<int>(store.value.size())));
  return true;
}

void GridRun::Sleep(const char* waits_for, const Place& place) {
  Thread& thread = *running_;
  thread.waits_for = waits_for;
  thread.place = place;
  SwitchFiber(thread.context, scheduler_);
}

void GridRun::Wake(Thread& thread) {
  thread.waits_for = nullptr;
  runnable_.push_back(&thread);
  Progress();
}

void GridRun::Yield(bool spinning) {
  Thread& thread = *running_;
  // Who spins waits for another: with the newest first it would be its own successor for ever.
  if (spinning && order_ == Order::kNewestFirst) {
    runnable_.push_front(&thread);
  } else {
    runnable_.push_back(&thread);
  }
  SwitchFiber(thread.context, scheduler_);
}

std::string GridRun::Where(const Thread& thread) const {
  return launch_.kernel + ", block " + Text(thread.block->index) + ", thread " + Text(thread.index) + ":";
}

void GridRun::FailDeadlock() const {
  std::map<std::string, int> waits;
  const Thread* first = nullptr;
  for (const auto& cluster : clusters_) {
    for (const Block* block : cluster->blocks) {
      if (block == nullptr) continue;
      for (const Thread& thread : block->threads) {
        if (thread.done) continue;
        if (first == nullptr) first = &thread;
        ++waits[thread.waits_for == nullptr
                    ? "spinning"
                    : std::string("at a ") + thread.waits_for + " (" + Text(thread.place) + ")"];
      }
    }
  }
  std::string text = (first == nullptr ? launch_.kernel + ":" : Where(*first)) + " no thread can go on. Threads wait";
  for (const auto& [wait, count] : waits) text += " " + wait + ": " + std::to_string(count) + ";";
  throw Failure(text);
}

int64_t RunGrid(const GridLaunch& launch, Random& random) {
  GridRun run(launch, random);
  return run.Run();
}

int64_t Clock() { return clock_before + CurrentGrid().switches(); }

// --- what threads of a block do together -----------------------------------------------------------------------------

int Lane() { return CurrentGrid().running().number % kWarpLanes; }

void* SharedMemory() { return CurrentGrid().running().block->shared; }

void FailThread(const std::string& what) {
  GridRun& grid = CurrentGrid();
  throw Failure(grid.Where(grid.running()) + " " + what);
}

void NeedCapability(int capability, const char* what) {
  const int has = CurrentGrid().launch().capability;
  if (has < capability) {
    FailThread(std::string(what) + " needs compute capability " + std::to_string(capability / 10) + "." +
               std::to_string(capability % 10));
  }
}

void Trap(const Place& place) { FailThread("trapped at " + Text(place)); }

void SwitchPoint() {
  GridRun& grid = CurrentGrid();
  if (grid.random().OneIn(4)) grid.Yield(false);
}

void SpinPause() { CurrentGrid().Yield(true); }

void Progress() { CurrentGrid().Progress(); }

int BlockBarrier(bool yes, const Place& place) {
  GridRun& grid = CurrentGrid();
  Block& block = *grid.running().block;
  BarrierState& barrier = block.barrier;
  const int threads = static_cast<int>(block.threads.size());
  if (block.live < threads) FailThread("reached a barrier (" + Text(place) + ") that threads of its block left out");
  if (barrier.arrived == 0) {
    barrier.place = place;
  } else if (barrier.place.line != place.line || std::strcmp(barrier.place.file, place.file) != 0) {
    FailThread("reached the barrier at " + Text(place) + " while others of its block wait at that of " +
               Text(barrier.place));
  }
  barrier.yes += yes;
  if (++barrier.arrived < threads) {
    barrier.waiting.push_back(&grid.running());
    grid.Sleep("__syncthreads", place);
    return barrier.result;
  }
  barrier.result = barrier.yes;
  barrier.arrived = barrier.yes = 0;
  std::vector<Thread*> waiting;
  waiting.swap(barrier.waiting);
  for (Thread* thread : waiting) grid.Wake(*thread);
  const int result = barrier.result;
  grid.Yield(false);
  return result;
}

namespace {

void ArriveAtNamed(int id, int threads, bool wait, const Place& place) {
  GridRun& grid = CurrentGrid();
  if (id < 1 || id >= kNamedBarriers || threads <= 0 || threads % kWarpLanes != 0) {
    FailThread("used named barrier " + std::to_string(id) + " for " + std::to_string(threads) + " threads");
  }
  BarrierState& barrier = grid.running().block->named[id];
  if (barrier.arrived == 0) barrier.threads = threads;
  if (barrier.threads != threads) FailThread("and others give a named barrier different numbers of threads");
  if (++barrier.arrived == threads) {
    barrier.arrived = 0;
    std::vector<Thread*> waiting;
    waiting.swap(barrier.waiting);
    for (Thread* thread : waiting) grid.Wake(*thread);
    grid.Progress();
    SwitchPoint();
  } else if (wait) {
    barrier.waiting.push_back(&grid.running());
    grid.Sleep("named barrier", place);
  }
}

}  // namespace

void NamedBarrierWait(int id, int threads, const Place& place) { ArriveAtNamed(id, threads, true, place); }
void NamedBarrierArrive(int id, int threads, const Place& place) { ArriveAtNamed(id, threads, false, place); }

}  // namespace emulated
