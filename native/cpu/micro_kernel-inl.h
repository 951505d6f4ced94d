// The inner loop of all products: a tile of the result held in registers.
//
// A tile has kRows rows and kVectors vectors of columns. The left operand is read one element at a time and spread over
// a vector; the right one comes packed, kVectors vectors for each k, one after the other (product.h packs it). Whoever
// calls gets the sums in registers and does there what is left to do: bias, gates, the new state.
//
// Each element is a single chain of multiply-adds in rising k. So its value does not depend on the tile it falls into,
// nor on the vector width among targets that have fused multiply-add.

#if defined(SLIM_CPU_MICRO_KERNEL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLIM_CPU_MICRO_KERNEL_INL_H_
#undef SLIM_CPU_MICRO_KERNEL_INL_H_
#else
#define SLIM_CPU_MICRO_KERNEL_INL_H_
#endif

#include <cstddef>

#include "cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {

// Rows that fill the registers beside kVectors vectors of the right operand and one of the left. More than 8 rows need
// more addresses than there are registers for them.
template <int kVectors>
inline constexpr int kTileRows = [] {
  const int spare = kVectorRegisters - kVectors - 1;
  const int rows = spare / kVectors;
  if (kVectorRegisters == 16 && kVectors == 4) return 3;  // the right operand is then read from memory
  return rows > 8 ? 8 : rows;
}();

template <int kRows, int kVectors>
struct Tile {
  Floats v[kRows][kVectors];
};

// The left operand, as seen by a tile: element (row, k).
struct StridedRows {
  const float* first;  // element (0, 0)
  size_t stride;       // floats from row to row; rows may overlap
  HWY_INLINE Floats Spread(int row, size_t k) const {
    return hn::Set(kFloats, first[static_cast<size_t>(row) * stride + k]);
  }
};

template <int kRows>
struct PointedRows {
  const float* rows[kRows];  // rows anywhere: gathered, or of different sequences
  HWY_INLINE Floats Spread(int row, size_t k) const { return hn::Set(kFloats, rows[row][k]); }
};

struct TransposedRows {
  const float* first;  // element (0, 0); rows of a tile are neighbours in memory
  size_t stride;       // floats from k to k
  HWY_INLINE Floats Spread(int row, size_t k) const {
    return hn::Set(kFloats, first[k * stride + static_cast<size_t>(row)]);
  }
};

template <int kRows, int kVectors>
HWY_INLINE void ClearTile(Tile<kRows, kVectors>& tile) {
  HWY_UNROLL(8)
  for (int r = 0; r < kRows; ++r) {
    HWY_UNROLL(4)
    for (int j = 0; j < kVectors; ++j) tile.v[r][j] = hn::Zero(kFloats);
  }
}

// tile += A[kRows, depth] * panel[depth, kVectors * kLanes]
template <int kRows, int kVectors, class LeftRows>
HWY_INLINE void MultiplyAdd(const LeftRows& left, const float* HWY_RESTRICT panel, size_t depth,
                            Tile<kRows, kVectors>& tile) {
  for (size_t k = 0; k < depth; ++k) {
    Floats right[kVectors];
    HWY_UNROLL(4)
    for (int j = 0; j < kVectors; ++j) right[j] = hn::Load(kFloats, panel + static_cast<size_t>(j) * kLanes);
    panel += kVectors * kLanes;
    HWY_UNROLL(8)
    for (int r = 0; r < kRows; ++r) {
      const Floats a = left.Spread(r, k);
      HWY_UNROLL(4)
      for (int j = 0; j < kVectors; ++j) tile.v[r][j] = hn::MulAdd(a, right[j], tile.v[r][j]);
    }
  }
}

// Calls run.template operator()<R>() with R = rows, 1 <= rows <= kMaxRows. `run` is a struct, not a lambda (see
// dispatch.h).
template <int kMaxRows, class Run>
HWY_INLINE void WithRowCount(int rows, const Run& run) {
  if constexpr (kMaxRows > 1) {
    if (rows < kMaxRows) return WithRowCount<kMaxRows - 1>(rows, run);
  }
  run.template operator()<kMaxRows>();
}

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // SLIM_CPU_MICRO_KERNEL_INL_H_
