#pragma once

#include <cuda_runtime.h>

#include <cstdint>

/// What kernels use of the machine beyond CUDA's language: each instruction behind a name. Where an instruction needs a
/// newer architecture than is compiled for, its wrapper traps: kernels that use it are only launched where it is. Under
/// the tests' emulation the same names are functions of the emulation.
namespace slim::cuda {

/// An address in the shared memory of any block of the cluster. Peers' addresses cannot be read through as pointers.
struct ClusterAddress;

/// A barrier in shared memory that counts arrivals and bytes; in PTX, an mbarrier.
struct alignas(8) TransactionBarrier {
  uint64_t word;
};

/// Tiles of the matrix units, as PTX ISA 9.0 lays them out in "Matrix Fragments for mma.m16n8k8" (.tf32) and "Matrix
/// Fragments for mma.m16n8k16 with floating point type" (.bf16).
///
/// A 16x8 tile of sums, spread over the warp's lanes: with g = lane / 4 and t = lane % 4, the elements (g, 2t),
/// (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1).
struct TileSums {
  float value[4];
};

/// Operands of a product of 16x8 by 8x8 elements in tf32: a holds (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4), b
/// holds (t, g), (t + 4, g).
struct Tf32TileA {
  uint32_t value[4];
};
struct Tf32TileB {
  uint32_t value[2];
};

/// Operands of a product of 16x16 by 16x8 elements in bfloat16, two neighbours along the depth in a word, the lower one
/// in the low half: a holds (g, 2t..), (g + 8, 2t..), (g, 2t + 8..), (g + 8, 2t + 8..), b (2t.., g), (2t + 8.., g).
struct Bf16TileA {
  uint32_t value[4];
};
struct Bf16TileB {
  uint32_t value[2];
};

}  // namespace slim::cuda

#if defined(SLIM_CUDA_EMULATED)
#include "emulation/ptx.h"
#else

#include <type_traits>

// What follows a trap is left out of the code, so that kernels of other architectures weigh next to nothing.
#define SLIM_TRAP (__trap(), __builtin_unreachable())
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#define SLIM_SM80(...) SLIM_TRAP
#else
#define SLIM_SM80(...) __VA_ARGS__
#endif
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 900
#define SLIM_SM90(...) SLIM_TRAP
#else
#define SLIM_SM90(...) __VA_ARGS__
#endif

namespace slim::cuda {

// --- shared memory ---------------------------------------------------------------------------------------------------

/// The block's dynamic shared memory, aligned to 128 bytes. There is no other: kernels lay it out themselves.
template <class T>
__device__ inline T* SharedMemory() {
  extern __shared__ __align__(128) unsigned char slim_shared_memory[];
  return reinterpret_cast<T*>(slim_shared_memory);
}

__device__ inline uint32_t SharedOffset(const void* shared) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(shared));
}

/// Barrier `id`, 1 to 15, for `threads` threads of the block, a multiple of 32: waiting, or only being counted.
__device__ inline void NamedBarrierWait(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
__device__ inline void NamedBarrierArrive(int id, int threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

// --- clusters --------------------------------------------------------------------------------------------------------

struct ClusterAddress {
  uint32_t value;
};
__device__ inline ClusterAddress operator+(ClusterAddress address, uint32_t bytes) { return {address.value + bytes}; }

/// This block's number in its cluster, and the cluster's size.
__device__ inline uint32_t ClusterRank() {
  uint32_t rank = 0;
  SLIM_SM90(asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank)));
  return rank;
}
__device__ inline uint32_t ClusterBlocks() {
  uint32_t blocks = 0;
  SLIM_SM90(asm volatile("mov.u32 %0, %%cluster_nctarank;" : "=r"(blocks)));
  return blocks;
}

/// All threads of the cluster; what was written before an arrival is seen after the wait.
__device__ inline void ClusterArrive() {
  SLIM_SM90(asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"));
}
__device__ inline void ClusterWait() { SLIM_SM90(asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory")); }
__device__ inline void ClusterSync() {
  ClusterArrive();
  ClusterWait();
}

/// Where block `rank` of the cluster has what this block has at `own`.
__device__ inline ClusterAddress PeerAddress(const void* own, uint32_t rank) {
  ClusterAddress peer{0};
  SLIM_SM90(asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(peer.value) : "r"(SharedOffset(own)), "r"(rank)));
  return peer;
}

/// Plain loads and stores of a peer's memory; a barrier of the cluster orders them.
__device__ inline float LoadPeer(ClusterAddress from) {
  float value = 0;
  SLIM_SM90(asm volatile("ld.shared::cluster.f32 %0, [%1];" : "=f"(value) : "r"(from.value) : "memory"));
  return value;
}
__device__ inline float4 LoadPeer4(ClusterAddress from) {
  float4 v = {};
  SLIM_SM90(asm volatile("ld.shared::cluster.v4.f32 {%0, %1, %2, %3}, [%4];"
                         : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w)
                         : "r"(from.value)
                         : "memory"));
  return v;
}
__device__ inline void StorePeer(ClusterAddress to, float value) {
  SLIM_SM90(asm volatile("st.shared::cluster.f32 [%0], %1;" ::"r"(to.value), "f"(value) : "memory"));
}

/// Writes to a block of the cluster at some later time, and then counts the bytes at that block's barrier, which the
/// receiver was told to expect.
__device__ inline void StoreAsync(ClusterAddress to, uint32_t value, ClusterAddress barrier) {
  SLIM_SM90(asm volatile("st.async.shared::cluster.mbarrier::complete_tx::bytes.b32 [%0], %1, [%2];" ::"r"(to.value),
                         "r"(value), "r"(barrier.value)
                         : "memory"));
}
__device__ inline void StoreAsync(ClusterAddress to, float value, ClusterAddress barrier) {
  StoreAsync(to, __float_as_uint(value), barrier);
}
__device__ inline void StoreAsync(ClusterAddress to, float2 value, ClusterAddress barrier) {
  SLIM_SM90(
      asm volatile("st.async.shared::cluster.mbarrier::complete_tx::bytes.v2.b32 [%0], {%1, %2}, [%3];" ::"r"(to.value),
                   "r"(__float_as_uint(value.x)), "r"(__float_as_uint(value.y)), "r"(barrier.value)
                   : "memory"));
}
__device__ inline void StoreAsync(ClusterAddress to, float4 value, ClusterAddress barrier) {
  SLIM_SM90(asm volatile(
      "st.async.shared::cluster.mbarrier::complete_tx::bytes.v4.b32 [%0], {%1, %2, %3, %4}, [%5];" ::"r"(to.value),
      "r"(__float_as_uint(value.x)), "r"(__float_as_uint(value.y)), "r"(__float_as_uint(value.z)),
      "r"(__float_as_uint(value.w)), "r"(barrier.value)
      : "memory"));
}

// --- barriers that count bytes ---------------------------------------------------------------------------------------

/// For `arrivals` arrivals a phase. Before others use it: FenceBarrierInit, then a barrier of the block or cluster.
__device__ inline void InitBarrier(TransactionBarrier* barrier, uint32_t arrivals) {
  SLIM_SM80(asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(SharedOffset(barrier)), "r"(arrivals) : "memory"));
}
__device__ inline void FenceBarrierInit() {
  SLIM_SM90(asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"));
}
__device__ inline void Arrive(TransactionBarrier* barrier) {
  SLIM_SM80(asm volatile("{ .reg .b64 state; mbarrier.arrive.shared.b64 state, [%0]; }" ::"r"(SharedOffset(barrier))
                         : "memory"));
}
/// Arrives and tells that `bytes` more bytes are to come in this phase.
__device__ inline void ArriveExpecting(TransactionBarrier* barrier, uint32_t bytes) {
  SLIM_SM90(asm volatile(
      "{ .reg .b64 state; mbarrier.arrive.expect_tx.shared.b64 state, [%0], %1; }" ::"r"(SharedOffset(barrier)),
      "r"(bytes)
      : "memory"));
}
/// At the barrier of another block of the cluster.
__device__ inline void ArriveAtPeer(ClusterAddress barrier) {
  SLIM_SM90(asm volatile("mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%0];" ::"r"(barrier.value)
                         : "memory"));
}
/// Whether the phase of this parity (0 for the first, then alternating) is over. It may wait a moment for that. What
/// came with the phase, from this block or others of the cluster, is seen afterwards.
__device__ inline bool PhaseIsOver(TransactionBarrier* barrier, uint32_t parity) {
  uint32_t over = 0;
  SLIM_SM90(
      asm volatile("{\n"
                   ".reg .pred p;\n"
                   "mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 p, [%1], %2;\n"
                   "selp.u32 %0, 1, 0, p;\n"
                   "}"
                   : "=r"(over)
                   : "r"(SharedOffset(barrier)), "r"(parity)
                   : "memory"));
  return over != 0;
}

// --- copies from global to shared memory -----------------------------------------------------------------------------

/// Copies kBytes (4, 8 or 16) at some time before the thread has waited for the copy's group; below compute capability
/// 8.0 at once. Other threads see it after a barrier behind that wait.
template <int kBytes>
__device__ inline void CopyAsync(void* to_shared, const void* from) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16);
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
  using Word = std::conditional_t<kBytes == 4, uint32_t, std::conditional_t<kBytes == 8, uint2, uint4> >;
  *static_cast<Word*>(to_shared) = *static_cast<const Word*>(from);
#else
  if constexpr (kBytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(SharedOffset(to_shared)), "l"(from) : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(SharedOffset(to_shared)), "l"(from), "n"(kBytes)
                 : "memory");
  }
#endif
}
/// Ends a group of copies.
__device__ inline void CommitCopies() {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
/// Waits until all but the latest kGroups groups of this thread are there.
template <int kGroups>
__device__ inline void WaitCopies() {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(kGroups) : "memory");
#endif
}

// --- between blocks, through global memory ---------------------------------------------------------------------------

/// What the thread wrote before a release is seen by who acquires what it released, or later.
__device__ inline uint32_t LoadAcquire(const uint32_t* at) {
  uint32_t value;
  asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(at) : "memory");
  return value;
}
__device__ inline void StoreRelease(uint32_t* at, uint32_t value) {
  asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(at), "r"(value) : "memory");
}
__device__ inline void AddRelease(uint32_t* at, uint32_t value) {
  asm volatile("red.release.gpu.global.add.u32 [%0], %1;" ::"l"(at), "r"(value) : "memory");
}

/// In a loop that waits for others.
__device__ inline void Pause(uint32_t nanoseconds) { __nanosleep(nanoseconds); }
/// Nanoseconds of a clock that all blocks share.
__device__ inline uint64_t GlobalNanoseconds() {
  uint64_t time;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(time));
  return time;
}

// --- the matrix units ------------------------------------------------------------------------------------------------

/// At the head of what needs them: where there are none, what follows is left out of the code.
__device__ inline void NeedMatrixUnits() { SLIM_SM80(static_cast<void>(0)); }

/// The nearest tf32 number, in a float's format.
__device__ inline uint32_t ToTf32(float value) {
  uint32_t bits = 0;
  SLIM_SM80(asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value)));
  return bits;
}

/// sums += a b, by all lanes of a warp together.
__device__ inline void MultiplyAdd(TileSums& sums, const Tf32TileA& a, const Tf32TileB& b) {
  SLIM_SM80(asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(sums.value[0]), "+f"(sums.value[1]), "+f"(sums.value[2]), "+f"(sums.value[3])
      : "r"(a.value[0]), "r"(a.value[1]), "r"(a.value[2]), "r"(a.value[3]), "r"(b.value[0]), "r"(b.value[1])));
}
__device__ inline void MultiplyAdd(TileSums& sums, const Bf16TileA& a, const Bf16TileB& b) {
  SLIM_SM80(asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(sums.value[0]), "+f"(sums.value[1]), "+f"(sums.value[2]), "+f"(sums.value[3])
      : "r"(a.value[0]), "r"(a.value[1]), "r"(a.value[2]), "r"(a.value[3]), "r"(b.value[0]), "r"(b.value[1])));
}

/// Two floats rounded to the nearest bfloat16, the first in the low half.
__device__ inline uint32_t ToBf16Pair(float low, float high) {
  uint32_t pair = 0;
  SLIM_SM80(asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low)));
  return pair;
}

}  // namespace slim::cuda

#undef SLIM_TRAP
#undef SLIM_SM80
#undef SLIM_SM90

#endif  // SLIM_CUDA_EMULATED
