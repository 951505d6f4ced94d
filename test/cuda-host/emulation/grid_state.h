// The parts of a running grid.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "emulation/fiber.h"
#include "emulation/grid.h"
#include "emulation/random.h"
#include "emulation/thread_operations.h"

namespace emulated {

struct Block;

inline constexpr int kWarpLanes = 32;
inline constexpr int kNamedBarriers = 16;

/// A copy that is under way.
struct Copy {
  void* to;
  const void* from;  // null: the value
  std::vector<std::byte> value;
  uint64_t* barrier = nullptr;
};

struct Thread {
  Block* block = nullptr;
  uint3 index{};
  int number = 0;  // in the block
  std::unique_ptr<FiberStack> stack;
  FiberContext context;
  bool done = false;
  const char* waits_for = nullptr;  // null while it can run
  Place place;
  std::vector<std::vector<Copy>> copies;  // cp.async: groups that were committed
  std::vector<Copy> uncommitted;
};

/// Lanes of a warp that wait for each other.
struct Meeting {
  const char* kind;
  unsigned int mask;     // the lanes that are to come
  unsigned int arrived;  // those that have
};

struct Warp {
  unsigned int lanes = 0;  // that there are and that have not ended
  std::vector<Meeting> meetings;
  std::byte in[kWarpLanes][kExchangeBytes];
  std::byte out[kWarpLanes][kExchangeBytes];
};

struct BarrierState {
  int threads = 0;  // for a named barrier, that it is for
  int arrived = 0;
  int yes = 0;
  int result = 0;
  uint64_t generation = 0;
  std::vector<Thread*> waiting;
  Place place;
};

struct Cluster {
  std::vector<Block*> blocks;  // null: ended
  int arrived = 0;             // threads at the cluster's barrier
  uint64_t generation = 0;
  std::vector<Thread*> waiting;
  std::vector<Copy> stores;  // st.async under way
};

struct Block {
  uint3 index{};
  unsigned int rank = 0;  // in the cluster
  Cluster* cluster = nullptr;
  std::byte* shared = nullptr;
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  int live = 0;
  BarrierState barrier;
  BarrierState named[kNamedBarriers];
  std::vector<uint64_t> cluster_arrivals;  // by thread: generations of the cluster's barrier it arrived at
};

/// The order in which threads that can run do so.
enum class Order { kRandom, kOldestFirst, kNewestFirst };

class GridRun {
 public:
  GridRun(const GridLaunch& launch, Random& random);
  ~GridRun();
  GridRun(const GridRun&) = delete;
  GridRun& operator=(const GridRun&) = delete;

  int64_t Run();

  // For the running thread.
  Thread& running() { return *running_; }
  Random& random() { return random_; }
  const GridLaunch& launch() const { return launch_; }
  int64_t switches() const { return switches_; }
  /// Lets others run until Wake, or for a moment.
  void Sleep(const char* waits_for, const Place& place);
  void Wake(Thread& thread);
  void Yield(bool spinning);
  void Progress() { idle_switches_ = 0; }
  std::string Where(const Thread& thread) const;

  /// Whether this grid's cp.async copies happen at once, or as late as they may.
  bool early_copies() const { return early_copies_; }
  void Deliver(const Copy& copy);

 private:
  void Admit();
  void StartCluster(int64_t first_block);
  void RunOne();
  void EndThread(Thread& thread);
  void EndBlock(Block& block);
  void EndCluster(Cluster& cluster);
  bool DeliverOneStore();
  Thread* TakeRunnable();
  [[noreturn]] void FailDeadlock() const;
  void Abandon();
  static void ThreadMain();

  const GridLaunch& launch_;
  Random& random_;
  Order order_;
  bool late_stores_;
  bool early_copies_;
  size_t most_clusters_;
  std::vector<int64_t> waiting_clusters_;  // numbers of clusters that have not begun, the next at the back
  std::vector<std::unique_ptr<Cluster>> clusters_;
  std::deque<Thread*> runnable_;
  Thread* running_ = nullptr;
  FiberContext scheduler_;
  std::exception_ptr failure_;
  int64_t switches_ = 0;
  int64_t idle_switches_ = 0;
};

/// The grid that runs now. Throws Failure where none does.
GridRun& CurrentGrid();

}  // namespace emulated
