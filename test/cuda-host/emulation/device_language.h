// What a kernel sees: CUDA's qualifiers, built-in variables and functions, as far as they are used.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "emulation/thread_operations.h"
#include "emulation/vector_types.h"

// NOLINTBEGIN(bugprone-reserved-identifier): the names are CUDA's

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline
#define __noinline__
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __launch_bounds__(...)
#define __cluster_dims__(...)
#define __grid_constant__
// Dynamic shared memory is the only one: a static array would be shared by all blocks here.
#define __shared__ _Pragma("GCC error \"Shared memory is dynamic only: SharedMemory<T>()\"")

// The running thread's. Set whenever a thread is switched to.
inline uint3 threadIdx, blockIdx;
inline dim3 blockDim, gridDim;
inline constexpr int warpSize = 32;

// --- barriers and warps ----------------------------------------------------------------------------------------------

inline void __syncthreads(emulated::Place place = emulated::Place::Current()) { emulated::BlockBarrier(0, place); }
inline int __syncthreads_count(int predicate, emulated::Place place = emulated::Place::Current()) {
  return emulated::BlockBarrier(predicate != 0, place);
}
inline int __syncthreads_or(int predicate, emulated::Place place = emulated::Place::Current()) {
  return emulated::BlockBarrier(predicate != 0, place) != 0;
}
inline int __syncthreads_and(int predicate, emulated::Place place = emulated::Place::Current()) {
  return emulated::BlockBarrier(predicate == 0, place) == 0;
}

inline void __syncwarp(unsigned int mask = 0xFFFFFFFFu, emulated::Place place = emulated::Place::Current()) {
  emulated::WarpBarrier(mask, place);
}

template <class T>
T __shfl_sync(unsigned int mask, T value, int source, int width = warpSize,
              emulated::Place place = emulated::Place::Current()) {
  const int lane = emulated::Lane();
  return emulated::Shuffle(mask, value, (lane & ~(width - 1)) | (source & (width - 1)), place);
}
template <class T>
T __shfl_xor_sync(unsigned int mask, T value, int lanes, int width = warpSize,
                  emulated::Place place = emulated::Place::Current()) {
  const int lane = emulated::Lane();
  const int source = lane ^ lanes;
  return emulated::Shuffle(mask, value, source > (lane | (width - 1)) ? lane : source, place);
}
template <class T>
T __shfl_up_sync(unsigned int mask, T value, unsigned int by, int width = warpSize,
                 emulated::Place place = emulated::Place::Current()) {
  const int lane = emulated::Lane();
  const int source = lane - static_cast<int>(by);
  return emulated::Shuffle(mask, value, source < (lane & ~(width - 1)) ? lane : source, place);
}
template <class T>
T __shfl_down_sync(unsigned int mask, T value, unsigned int by, int width = warpSize,
                   emulated::Place place = emulated::Place::Current()) {
  const int lane = emulated::Lane();
  const int source = lane + static_cast<int>(by);
  return emulated::Shuffle(mask, value, source > (lane | (width - 1)) ? lane : source, place);
}
inline unsigned int __ballot_sync(unsigned int mask, int predicate,
                                  emulated::Place place = emulated::Place::Current()) {
  return emulated::Ballot(mask, predicate != 0, place);
}
inline int __any_sync(unsigned int mask, int predicate, emulated::Place place = emulated::Place::Current()) {
  return emulated::Ballot(mask, predicate != 0, place) != 0;
}
inline int __all_sync(unsigned int mask, int predicate, emulated::Place place = emulated::Place::Current()) {
  return emulated::Ballot(mask, predicate != 0, place) == mask;
}
template <class T>
unsigned int __match_any_sync(unsigned int mask, T value, emulated::Place place = emulated::Place::Current()) {
  static_assert(std::is_integral_v<T>);
  return emulated::Match(mask, static_cast<uint64_t>(value), place);
}

// --- memory ----------------------------------------------------------------------------------------------------------

inline void __threadfence() { emulated::SwitchPoint(); }
inline void __threadfence_block() { emulated::SwitchPoint(); }

namespace emulated {
template <class T, class Change>
T ChangeAtomically(T* at, const Change& change) {
  static_assert(std::is_integral_v<T>, "Atomics are of integers: sums of floats would have no fixed order");
  SwitchPoint();
  const T before = *at;
  *at = change(before);
  Progress();
  return before;
}
}  // namespace emulated

template <class T>
T atomicAdd(T* at, std::type_identity_t<T> value) {
  return emulated::ChangeAtomically(at, [&](T before) { return static_cast<T>(before + value); });
}
template <class T>
T atomicMax(T* at, std::type_identity_t<T> value) {
  return emulated::ChangeAtomically(at, [&](T before) { return std::max(before, value); });
}
template <class T>
T atomicMin(T* at, std::type_identity_t<T> value) {
  return emulated::ChangeAtomically(at, [&](T before) { return std::min(before, value); });
}
template <class T>
T atomicOr(T* at, std::type_identity_t<T> value) {
  return emulated::ChangeAtomically(at, [&](T before) { return static_cast<T>(before | value); });
}
template <class T>
T atomicExch(T* at, std::type_identity_t<T> value) {
  return emulated::ChangeAtomically(at, [&](T) { return value; });
}
template <class T>
T atomicCAS(T* at, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  return emulated::ChangeAtomically(at, [&](T before) { return before == expected ? value : before; });
}

// Loads and stores with a hint for the caches.
template <class T>
T __ldg(const T* at) {
  return *at;
}
template <class T>
T __ldcg(const T* at) {
  return *at;
}
template <class T>
T __ldcs(const T* at) {
  return *at;
}
template <class T>
void __stcg(T* at, std::type_identity_t<T> value) {
  *at = value;
}
template <class T>
void __stcs(T* at, std::type_identity_t<T> value) {
  *at = value;
}

// --- arithmetic ------------------------------------------------------------------------------------------------------

using std::max;
using std::min;

inline unsigned int __float_as_uint(float value) { return std::bit_cast<unsigned int>(value); }
inline float __uint_as_float(unsigned int value) { return std::bit_cast<float>(value); }
inline int __float_as_int(float value) { return std::bit_cast<int>(value); }
inline float __int_as_float(int value) { return std::bit_cast<float>(value); }
inline int __popc(unsigned int value) { return std::popcount(value); }
inline int __clz(int value) { return std::countl_zero(static_cast<unsigned int>(value)); }
inline int __ffs(int value) { return value == 0 ? 0 : std::countr_zero(static_cast<unsigned int>(value)) + 1; }
inline unsigned int __umulhi(unsigned int a, unsigned int b) {
  return static_cast<unsigned int>((uint64_t{a} * b) >> 32);
}
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }

// --- the rest --------------------------------------------------------------------------------------------------------

[[noreturn]] inline void __trap(emulated::Place place = emulated::Place::Current()) { emulated::Trap(place); }
inline void __nanosleep(unsigned int) { emulated::SpinPause(); }
inline long long clock64() { return emulated::Clock(); }

// NOLINTEND(bugprone-reserved-identifier)
