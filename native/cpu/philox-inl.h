// The random words of native/philox.h, several blocks at a time.

#if defined(SLIM_CPU_PHILOX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLIM_CPU_PHILOX_INL_H_
#undef SLIM_CPU_PHILOX_INL_H_
#else
#define SLIM_CPU_PHILOX_INL_H_
#endif

#include <cstdint>

#include "cpu/simd-inl.h"
#include "philox.h"

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

inline constexpr size_t kPhiloxWords = 4;

// Words `first` to first + kPhiloxWords - 1 of the stream; `first` is a multiple of 4.
HWY_INLINE void PhiloxWords(const RandomStream& stream, uint64_t first, uint32_t* words) {
  stream.Block(first / 4, words);
}

#else

// The four words of a block's counter lie in four vectors, each in the low half of a 64-bit lane. The multiplication of
// 32-bit numbers to 64 bits reads just those halves, so what the upper halves hold does not matter until the end.
using PhiloxTag = hn::ScalableTag<uint64_t>;
using PhiloxWordTag = hn::Repartition<uint32_t, PhiloxTag>;

inline constexpr size_t kPhiloxBlocks = hn::MaxLanes(PhiloxTag());
inline constexpr size_t kPhiloxWords = 4 * kPhiloxBlocks;

HWY_INLINE hn::Vec<PhiloxTag> MultiplyLowHalves(hn::Vec<PhiloxTag> a, hn::Vec<PhiloxTag> b) {
  const PhiloxWordTag words;
  return hn::MulEven(hn::BitCast(words, a), hn::BitCast(words, b));
}

// Words `first` to first + kPhiloxWords - 1 of the stream; `first` is a multiple of 4.
HWY_INLINE void PhiloxWords(const RandomStream& stream, uint64_t first, uint32_t* HWY_RESTRICT words) {
  const PhiloxTag d;
  const PhiloxWordTag dw;
  // Interleaving the halves of a 128-bit block at the end puts even lanes first: lane 2j has block j, lane 2j + 1 has
  // block kPhiloxBlocks / 2 + j.
  const auto lane = hn::Iota(d, 0);
  const auto half = hn::ShiftRight<1>(lane);
  const auto odd = hn::And(lane, hn::Set(d, 1));
  const auto offset = hn::Add(half, hn::IfThenElseZero(hn::Eq(odd, hn::Set(d, 1)), hn::Set(d, kPhiloxBlocks / 2)));
  const auto block = hn::Add(hn::Set(d, first / 4), offset);

  const auto multiplier0 = hn::Set(d, uint64_t{0xD2511F53u});
  const auto multiplier1 = hn::Set(d, uint64_t{0xCD9E8D57u});
  auto c0 = block;
  auto c1 = hn::ShiftRight<32>(block);
  auto c2 = hn::Set(d, uint64_t{stream.step});
  auto c3 = hn::Set(d, uint64_t{stream.stream});
  uint32_t k0 = static_cast<uint32_t>(stream.seed);
  uint32_t k1 = static_cast<uint32_t>(stream.seed >> 32);
  HWY_UNROLL(10)
  for (int round = 0; round < 10; ++round) {
    const auto p0 = MultiplyLowHalves(c0, multiplier0);
    const auto p1 = MultiplyLowHalves(c2, multiplier1);
    c0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p1), c1), hn::Set(d, uint64_t{k0}));
    c1 = p1;
    c2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p0), c3), hn::Set(d, uint64_t{k1}));
    c3 = p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  const auto low = hn::Set(d, uint64_t{0xFFFFFFFFu});
  const auto first_pair = hn::Or(hn::And(c0, low), hn::ShiftLeft<32>(c1));
  const auto second_pair = hn::Or(hn::And(c2, low), hn::ShiftLeft<32>(c3));
  hn::StoreU(hn::BitCast(dw, hn::InterleaveLower(d, first_pair, second_pair)), dw, words);
  hn::StoreU(hn::BitCast(dw, hn::InterleaveUpper(d, first_pair, second_pair)), dw, words + kPhiloxWords / 2);
}

#endif  // HWY_TARGET == HWY_SCALAR

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // SLIM_CPU_PHILOX_INL_H_
