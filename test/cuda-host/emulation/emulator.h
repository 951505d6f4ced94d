// What tests set and ask of the emulation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace emulated {

/// The card that is emulated. Small, so that limits are met by small problems.
struct Card {
  std::string name = "Emulated GPU";
  int major = 9;
  int minor = 0;
  int multiprocessors = 4;
  int multiprocessors_per_cluster_group = 4;  // a cluster lies within such a group
  int threads_per_multiprocessor = 2048;
  int blocks_per_multiprocessor = 32;
  int registers_per_thread = 64;  // what every kernel is taken to use
  int registers_per_multiprocessor = 65536;
  size_t shared_per_multiprocessor = size_t{228} << 10;
  size_t shared_per_block = size_t{227} << 10;  // with the attribute set; without it 48 KB
  size_t memory = size_t{256} << 20;
  int driver_version = 13000;
};

/// Forgets all that happened (memory, streams, errors) and starts over with this card and this order of threads.
/// Throws Failure where device memory, streams or graphs were not given back.
void Restart(const Card& card = {}, uint64_t seed = 0);

/// From now on threads, blocks and streams run in another order.
void Reseed(uint64_t seed);

/// The count-th allocation of device memory from now on fails (1: the next), and every one after it until 0 is given.
void FailAllocations(int64_t count);

/// The count-th launch from now on finds the device lost (1: the next): this and every later call fails, with `error`,
/// a value of cudaError_t, by default cudaErrorLaunchFailure.
void LoseDevice(int64_t count, int error = 719);

/// From now on launches whose blocks must be resident together are refused with `error`, a value of cudaError_t; 0:
/// they are not.
void RefuseGrids(int error);

/// Some of the card's multiprocessors are taken by another process: a grid that must be resident has `count` left.
/// Occupancy queries do not know of it.
void TakeMultiprocessors(int count);

struct Statistics {
  int64_t launches = 0;
  int64_t switches = 0;  // from thread to thread
  int64_t graph_launches = 0;
  size_t allocated = 0;  // bytes of device memory that were not given back
  int64_t allocations = 0;
};
Statistics Counted();

/// The word that fresh device and shared memory is filled with: as a float, not a number.
inline constexpr uint32_t kPoison = 0x7FA0DEADu;

}  // namespace emulated
