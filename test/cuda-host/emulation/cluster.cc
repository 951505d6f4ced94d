// Clusters, mbarriers and asynchronous copies.

#include <algorithm>
#include <cstring>
#include <string>

#include "emulation/grid_state.h"
#include "emulation/thread_operations.h"

namespace emulated {
namespace {

// The block of the thread's cluster in whose shared memory [at, at + bytes) lies, or null.
Block* BlockOfShared(const void* at, size_t bytes) {
  GridRun& grid = CurrentGrid();
  const auto* begin = static_cast<const std::byte*>(at);
  for (Block* block : grid.running().block->cluster->blocks) {
    if (block == nullptr) continue;
    if (begin >= block->shared && begin + bytes <= block->shared + grid.launch().shared_bytes) return block;
  }
  return nullptr;
}

// An mbarrier's 64 bits: a mark, the phase's parity, arrivals a phase, arrivals pending, bytes that were announced
// less those that came.
struct BarrierWord {
  uint64_t mark : 3;
  uint64_t parity : 1;
  uint64_t arrivals : 20;
  uint64_t pending : 20;
  int64_t bytes : 20;
};
static_assert(sizeof(BarrierWord) == sizeof(uint64_t));

constexpr uint64_t kBarrierMark = 0b110;
constexpr unsigned int kMostArrivals = (1u << 20) - 1;

BarrierWord ReadBarrier(const uint64_t* at) {
  if (BlockOfShared(at, sizeof(*at)) == nullptr) FailThread("used an mbarrier outside the cluster's shared memory");
  BarrierWord word;
  std::memcpy(&word, at, sizeof(word));
  if (word.mark != kBarrierMark) FailThread("used an mbarrier that was not initialised");
  return word;
}

}  // namespace

// --- clusters --------------------------------------------------------------------------------------------------------

unsigned int ClusterBlockRank() {
  NeedCapability(90, "a cluster");
  return CurrentGrid().running().block->rank;
}

unsigned int ClusterBlocks() {
  NeedCapability(90, "a cluster");
  return static_cast<unsigned int>(CurrentGrid().running().block->cluster->blocks.size());
}

void ClusterBarrierArrive(const Place&) {
  NeedCapability(90, "a cluster's barrier");
  GridRun& grid = CurrentGrid();
  Block& block = *grid.running().block;
  Cluster& cluster = *block.cluster;
  uint64_t& arrived_at = block.cluster_arrivals[static_cast<size_t>(grid.running().number)];
  if (arrived_at == cluster.generation + 1) FailThread("arrived twice at the cluster's barrier without waiting");
  arrived_at = cluster.generation + 1;
  int threads = 0;
  for (const Block* other : cluster.blocks) {
    if (other == nullptr || other->live < static_cast<int>(other->threads.size())) {
      FailThread("arrived at a cluster's barrier that threads of the cluster left out");
    }
    threads += other->live;
  }
  if (++cluster.arrived < threads) return;
  cluster.arrived = 0;
  ++cluster.generation;
  std::vector<Thread*> waiting;
  waiting.swap(cluster.waiting);
  for (Thread* thread : waiting) grid.Wake(*thread);
  grid.Progress();
}

void ClusterBarrierWait(const Place& place) {
  GridRun& grid = CurrentGrid();
  Thread& thread = grid.running();
  Cluster& cluster = *thread.block->cluster;
  const uint64_t arrived_at = thread.block->cluster_arrivals[static_cast<size_t>(thread.number)];
  if (arrived_at == 0) FailThread("waits at the cluster's barrier without having arrived");
  if (cluster.generation >= arrived_at) return SwitchPoint();
  cluster.waiting.push_back(&thread);
  grid.Sleep("cluster's barrier", place);
}

void* PeerShared(const void* own, unsigned int rank) {
  NeedCapability(90, "another block's shared memory");
  GridRun& grid = CurrentGrid();
  Block& block = *grid.running().block;
  if (rank >= block.cluster->blocks.size()) FailThread("asked for a block that its cluster has not");
  Block* peer = block.cluster->blocks[rank];
  if (peer == nullptr) FailThread("asked for the shared memory of a block that has ended");
  const auto* at = static_cast<const std::byte*>(own);
  if (at < block.shared || at > block.shared + grid.launch().shared_bytes) {
    FailThread("asked for a peer's copy of what does not lie in shared memory");
  }
  return peer->shared + (at - block.shared);
}

void CheckClusterShared(const void* at, size_t bytes, const char* what) {
  if (BlockOfShared(at, bytes) == nullptr) {
    FailThread(std::string(what) + " outside the shared memory of its cluster's blocks");
  }
}

// --- mbarriers -------------------------------------------------------------------------------------------------------

void InitTransactionBarrier(uint64_t* barrier, unsigned int arrivals) {
  NeedCapability(80, "an mbarrier");
  if (BlockOfShared(barrier, sizeof(*barrier)) != CurrentGrid().running().block) {
    FailThread("initialises an mbarrier outside its block's shared memory");
  }
  if (arrivals == 0 || arrivals > kMostArrivals) FailThread("initialises an mbarrier with a wrong count");
  const BarrierWord word{kBarrierMark, 0, arrivals, arrivals, 0};
  std::memcpy(barrier, &word, sizeof(word));
}

// Called for threads, and by the scheduler for stores that came.
static void Advance(uint64_t* barrier, BarrierWord word) {
  if (word.pending == 0 && word.bytes == 0) {
    word.parity ^= 1;
    word.pending = word.arrivals;
    CurrentGrid().Progress();
  }
  std::memcpy(barrier, &word, sizeof(word));
}

void ArriveAt(uint64_t* barrier, unsigned int arrivals, unsigned int expected_bytes) {
  BarrierWord word;
  if (arrivals == 0 && static_cast<int>(expected_bytes) < 0) {
    std::memcpy(&word, barrier, sizeof(word));
  } else {
    NeedCapability(expected_bytes != 0 ? 90 : 80, "an mbarrier");
    word = ReadBarrier(barrier);
    if (arrivals > word.pending) FailThread("arrived at an mbarrier more often than a phase has arrivals");
  }
  word.pending -= arrivals;
  word.bytes += static_cast<int>(expected_bytes);
  Advance(barrier, word);
}

bool PhaseDone(const uint64_t* barrier, unsigned int parity) {
  NeedCapability(80, "an mbarrier");
  return ReadBarrier(barrier).parity != parity;
}

// --- asynchronous copies ---------------------------------------------------------------------------------------------

void StoreLater(void* to, const void* value, size_t bytes, uint64_t* barrier) {
  NeedCapability(90, "st.async");
  Block* target = BlockOfShared(to, bytes);
  if (target == nullptr) FailThread("stores asynchronously outside the shared memory of its cluster's blocks");
  static_cast<void>(ReadBarrier(barrier));
  if (BlockOfShared(barrier, sizeof(*barrier)) != target) {
    FailThread("stores asynchronously to one block and counts the bytes at another's mbarrier");
  }
  const auto* from = static_cast<const std::byte*>(value);
  CurrentGrid().running().block->cluster->stores.push_back({to, nullptr, {from, from + bytes}, barrier});
  SwitchPoint();
}

void CopyLater(void* to_shared, const void* from, size_t bytes) {
  GridRun& grid = CurrentGrid();
  Thread& thread = grid.running();
  if (BlockOfShared(to_shared, bytes) != thread.block) FailThread("copies asynchronously outside its shared memory");
  if (reinterpret_cast<uintptr_t>(to_shared) % bytes != 0 || reinterpret_cast<uintptr_t>(from) % bytes != 0) {
    FailThread("copies asynchronously between addresses that are not aligned to the copy's size");
  }
  Copy copy{to_shared, from, std::vector<std::byte>(bytes), nullptr};
  if (grid.early_copies()) {
    grid.Deliver(copy);
    copy.value.clear();
  }
  thread.uncommitted.push_back(std::move(copy));
}

void CommitCopies() {
  Thread& thread = CurrentGrid().running();
  thread.copies.push_back(std::move(thread.uncommitted));
  thread.uncommitted.clear();
}

void WaitCopies(int groups_left) {
  GridRun& grid = CurrentGrid();
  Thread& thread = grid.running();
  while (thread.copies.size() > static_cast<size_t>(groups_left)) {
    for (const Copy& copy : thread.copies.front()) grid.Deliver(copy);
    thread.copies.erase(thread.copies.begin());
  }
}

}  // namespace emulated
