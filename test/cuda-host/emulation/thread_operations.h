// What a running thread can ask of the emulation. Every function but those marked may be called from a kernel alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>

#include "emulation/place.h"

namespace emulated {

int Lane();
void* SharedMemory();

/// Waits for all threads of the block; returns how many of them said yes. A thread that left the block, or waits
/// elsewhere, is a failure.
int BlockBarrier(bool yes, const Place& place);

/// Barrier `id` of the block's 16, for `threads` threads: waiting, or only being counted.
void NamedBarrierWait(int id, int threads, const Place& place);
void NamedBarrierArrive(int id, int threads, const Place& place);

/// The lanes of the mask meet: each brings `bytes` bytes and takes as many away, which `exchange` makes once all are
/// there from in[lane] to out[lane].
inline constexpr size_t kExchangeBytes = 64;
using Exchange = std::function<void(const std::byte (*in)[kExchangeBytes], std::byte (*out)[kExchangeBytes])>;
void MeetInWarp(const char* kind, unsigned int mask, const void* in, size_t in_bytes, void* out, size_t out_bytes,
                const Exchange& exchange, const Place& place);

void WarpBarrier(unsigned int mask, const Place& place);
unsigned int Ballot(unsigned int mask, bool yes, const Place& place);
unsigned int Match(unsigned int mask, uint64_t value, const Place& place);
void ShuffleBytes(unsigned int mask, void* value, size_t bytes, int source, const Place& place);

template <class T>
T Shuffle(unsigned int mask, T value, int source, const Place& place) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "A shuffle moves 32 or 64 bits");
  ShuffleBytes(mask, &value, sizeof(T), source, place);
  return value;
}

/// A warp's product of tiles: sums (4 floats a lane) += a (4 words) b (2 words).
void MultiplyAddTf32(float* sums, const uint32_t* a, const uint32_t* b, const Place& place);
void MultiplyAddBf16(float* sums, const uint32_t* a, const uint32_t* b, const Place& place);

/// Another thread may run now.
void SwitchPoint();
/// This thread waits for others to change something: another one runs now.
void SpinPause();
/// Something changed that a waiting thread may look for.
void Progress();

/// Rises by a nanosecond whenever a thread is switched to.
int64_t Clock();

[[noreturn]] void Trap(const Place& place);
/// Ends the launch with a failure that names kernel, block and thread.
[[noreturn]] void FailThread(const std::string& what);
/// Fails where the set card has not the compute capability (90 for 9.0).
void NeedCapability(int capability, const char* what);

// --- clusters and asynchronous copies --------------------------------------------------------------------------------

unsigned int ClusterBlockRank();
unsigned int ClusterBlocks();
void ClusterBarrierArrive(const Place& place);
void ClusterBarrierWait(const Place& place);

/// Where the shared memory of the cluster's block `rank` has what this block's has at `own`.
void* PeerShared(const void* own, unsigned int rank);
/// Fails unless [at, at + bytes) lies in the shared memory of a block of this cluster that has not ended.
void CheckClusterShared(const void* at, size_t bytes, const char* what);

/// Writes the bytes at some later time and then counts them as arrived at the barrier; both lie in the shared memory
/// of blocks of this cluster.
void StoreLater(void* to, const void* value, size_t bytes, uint64_t* barrier);

/// The phases of an mbarrier in shared memory.
void InitTransactionBarrier(uint64_t* barrier, unsigned int arrivals);
void ArriveAt(uint64_t* barrier, unsigned int arrivals, unsigned int expected_bytes);
bool PhaseDone(const uint64_t* barrier, unsigned int parity);

/// cp.async: the bytes reach shared memory at some time before the thread has waited for their group.
void CopyLater(void* to_shared, const void* from, size_t bytes);
void CommitCopies();
void WaitCopies(int groups_left);

}  // namespace emulated
