// The twins of native/cuda/ptx.h, which includes this under the emulation: what each name means is said there.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "emulation/thread_operations.h"
#include "emulation/vector_types.h"

namespace slim::cuda {

using ::emulated::Place;

template <class T>
T* SharedMemory() {
  return static_cast<T*>(::emulated::SharedMemory());
}

inline void NamedBarrierWait(int id, int threads, Place place = Place::Current()) {
  ::emulated::NamedBarrierWait(id, threads, place);
}
inline void NamedBarrierArrive(int id, int threads, Place place = Place::Current()) {
  ::emulated::NamedBarrierArrive(id, threads, place);
}

// --- clusters --------------------------------------------------------------------------------------------------------

struct ClusterAddress {
  std::byte* value;
};
inline ClusterAddress operator+(ClusterAddress address, uint32_t bytes) { return {address.value + bytes}; }

inline uint32_t ClusterRank() { return ::emulated::ClusterBlockRank(); }
inline uint32_t ClusterBlocks() { return ::emulated::ClusterBlocks(); }
inline void ClusterArrive(Place place = Place::Current()) { ::emulated::ClusterBarrierArrive(place); }
inline void ClusterWait(Place place = Place::Current()) { ::emulated::ClusterBarrierWait(place); }
inline void ClusterSync(Place place = Place::Current()) {
  ClusterArrive(place);
  ClusterWait(place);
}

inline ClusterAddress PeerAddress(const void* own, uint32_t rank) {
  return {static_cast<std::byte*>(::emulated::PeerShared(own, rank))};
}

template <class T>
T ReadPeer(ClusterAddress from) {
  ::emulated::CheckClusterShared(from.value, sizeof(T), "loads");
  T value;
  std::memcpy(&value, from.value, sizeof(T));
  return value;
}
inline float LoadPeer(ClusterAddress from) { return ReadPeer<float>(from); }
inline float4 LoadPeer4(ClusterAddress from) { return ReadPeer<float4>(from); }
inline void StorePeer(ClusterAddress to, float value) {
  ::emulated::CheckClusterShared(to.value, sizeof(value), "stores");
  std::memcpy(to.value, &value, sizeof(value));
}

template <class T>
void StoreAsync(ClusterAddress to, T value, ClusterAddress barrier) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8 || sizeof(T) == 16);
  ::emulated::StoreLater(to.value, &value, sizeof(T), reinterpret_cast<uint64_t*>(barrier.value));
}

// --- barriers that count bytes ---------------------------------------------------------------------------------------

inline void InitBarrier(TransactionBarrier* barrier, uint32_t arrivals) {
  ::emulated::InitTransactionBarrier(&barrier->word, arrivals);
}
inline void FenceBarrierInit() { ::emulated::SwitchPoint(); }
inline void Arrive(TransactionBarrier* barrier) {
  ::emulated::ArriveAt(&barrier->word, 1, 0);
  ::emulated::SwitchPoint();
}
inline void ArriveExpecting(TransactionBarrier* barrier, uint32_t bytes) {
  ::emulated::ArriveAt(&barrier->word, 1, bytes);
  ::emulated::SwitchPoint();
}
inline void ArriveAtPeer(ClusterAddress barrier) {
  ::emulated::CheckClusterShared(barrier.value, sizeof(uint64_t), "arrives at a barrier");
  ::emulated::ArriveAt(reinterpret_cast<uint64_t*>(barrier.value), 1, 0);
  ::emulated::SwitchPoint();
}
inline bool PhaseIsOver(TransactionBarrier* barrier, uint32_t parity) {
  ::emulated::NeedCapability(90, "a barrier that counts bytes");
  if (::emulated::PhaseDone(&barrier->word, parity)) return true;
  ::emulated::SpinPause();
  return ::emulated::PhaseDone(&barrier->word, parity);
}

// --- copies from global to shared memory -----------------------------------------------------------------------------

template <int kBytes>
void CopyAsync(void* to_shared, const void* from) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16);
  ::emulated::CopyLater(to_shared, from, kBytes);
}
inline void CommitCopies() { ::emulated::CommitCopies(); }
template <int kGroups>
void WaitCopies() {
  ::emulated::WaitCopies(kGroups);
}

// --- between blocks, through global memory ---------------------------------------------------------------------------

inline uint32_t LoadAcquire(const uint32_t* at) {
  ::emulated::SpinPause();
  return *at;
}
inline void StoreRelease(uint32_t* at, uint32_t value) {
  ::emulated::SwitchPoint();
  *at = value;
  ::emulated::Progress();
}
inline void AddRelease(uint32_t* at, uint32_t value) {
  ::emulated::SwitchPoint();
  *at += value;
  ::emulated::Progress();
}

inline void Pause(uint32_t) { ::emulated::SpinPause(); }
inline uint64_t GlobalNanoseconds() { return static_cast<uint64_t>(::emulated::Clock()); }

// --- the matrix units ------------------------------------------------------------------------------------------------

inline void NeedMatrixUnits() { ::emulated::NeedCapability(80, "matrix units"); }

/// Round to nearest, ties away from zero, to ten bits of the fraction.
inline uint32_t ToTf32(float value) {
  ::emulated::NeedCapability(80, "tf32");
  const auto bits = std::bit_cast<uint32_t>(value);
  return std::isfinite(value) ? (bits + 0x1000u) & ~0x1FFFu : bits;
}

inline void MultiplyAdd(TileSums& sums, const Tf32TileA& a, const Tf32TileB& b, Place place = Place::Current()) {
  ::emulated::MultiplyAddTf32(sums.value, a.value, b.value, place);
}
inline void MultiplyAdd(TileSums& sums, const Bf16TileA& a, const Bf16TileB& b, Place place = Place::Current()) {
  ::emulated::MultiplyAddBf16(sums.value, a.value, b.value, place);
}

/// Round to nearest, ties to even.
inline uint32_t ToBf16Pair(float low, float high) {
  ::emulated::NeedCapability(80, "bfloat16");
  const auto round = [](float value) -> uint32_t {
    const auto bits = std::bit_cast<uint32_t>(value);
    if (std::isnan(value)) return 0x7FFFu;
    return (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
  };
  return round(low) | round(high) << 16;
}

}  // namespace slim::cuda
