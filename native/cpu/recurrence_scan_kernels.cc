#include "cpu/recurrence_scan_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/recurrence_scan_kernels.cc"
#include "cpu/dispatch.h"
#include "hwy/foreach_target.h"
// Compiled once a target, so after foreach_target.h:
#include "cpu/recurrence_cell-inl.h"
#include "cpu/recurrence_pointwise_cell-inl.h"

#ifndef SLIM_SCAN_TABLE
#define SLIM_SCAN_TABLE
namespace slim {

struct ScanTable {
  void (*forward)(const CellParameters& cell, const ForwardScan& scan);
  void (*backward)(const CellParameters& cell, const BackwardScan& scan);
};

}  // namespace slim
#endif

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {

// Vectors of a strip; two strips fill a panel of input products.
inline constexpr int kScanVectors = kVectorRegisters == 32 ? 2 : 1;

// Turns ahead of which the lines that will be written are asked for, so that the stores find them.
inline constexpr ptrdiff_t kTurnsAhead = 6;

// Into the second-level cache: the first-level one would not hold them until they are read.
HWY_INLINE void PrefetchRow(const RowsAhead& ahead, size_t turn) {
  if (turn >= ahead.count) return;
  for (size_t j = 0; j < ahead.floats; j += 64 / sizeof(float)) __builtin_prefetch(ahead.rows[turn] + j, 0, 2);
}

template <int kVectors>
HWY_INLINE void PrefetchStates(const ForwardScan& scan, ptrdiff_t turn, size_t at) {
  for (size_t j = at; j < at + kVectors * kLanes; j += 64 / sizeof(float)) {
    __builtin_prefetch(scan.h + turn * scan.state_stride + j, 1);
    __builtin_prefetch(scan.c + turn * scan.state_stride + j, 1);
    __builtin_prefetch(scan.kept + turn * scan.kept_stride + j, 1);
  }
}

// The next turn of some units.
template <int kVectors>
HWY_INLINE void ForwardTurn(const CellParameters& cell, const ForwardScan& scan, size_t turn, size_t at,
                            Units<kVectors>& h, Units<kVectors>& c) {
  const ptrdiff_t step = static_cast<ptrdiff_t>(turn);
  ForwardOperands operands;
  operands.input_products = scan.input_products[turn];
  operands.input_stride = scan.block_stride;
  operands.first_unit = scan.first_unit;
  operands.recurrent_products = nullptr;
  operands.diagonals = scan.diagonals;
  float* kept = scan.kept == nullptr ? nullptr : scan.kept + step * scan.kept_stride;
  ForwardUnits(cell, operands, at, kept, h, c);
  if (scan.h != nullptr) {
    StoreUnits(h, scan.h + step * scan.state_stride + at);
    StoreUnits(c, scan.c + step * scan.state_stride + at);
  }
  if (scan.output[turn] != nullptr) StoreFirstUnits(h, scan.output[turn] + at, cell.units - at);
}

template <int kVectors>
void ForwardStrip(const CellParameters& cell, const ForwardScan& scan, size_t at) {
  Units<kVectors> h = LoadUnits<kVectors>(scan.state_h + at), c = LoadUnits<kVectors>(scan.state_c + at);
  for (size_t turn = 0; turn < scan.turns; ++turn) ForwardTurn(cell, scan, turn, at, h, c);
  StoreUnits(h, scan.state_h + at);
  StoreUnits(c, scan.state_c + at);
}

// Two strips side by side: while the one waits for its activations, the other has work.
template <int kVectors>
void ForwardTwoStrips(const CellParameters& cell, const ForwardScan& scan, size_t at) {
  const size_t beside = at + kVectors * kLanes;
  Units<kVectors> h = LoadUnits<kVectors>(scan.state_h + at), c = LoadUnits<kVectors>(scan.state_c + at);
  Units<kVectors> other_h = LoadUnits<kVectors>(scan.state_h + beside);
  Units<kVectors> other_c = LoadUnits<kVectors>(scan.state_c + beside);
  for (size_t turn = 0; turn < scan.turns; ++turn) {
    if (scan.h != nullptr) PrefetchStates<2 * kVectors>(scan, static_cast<ptrdiff_t>(turn) + kTurnsAhead, at);
    ForwardTurn(cell, scan, turn, at, h, c);
    ForwardTurn(cell, scan, turn, beside, other_h, other_c);
  }
  StoreUnits(h, scan.state_h + at);
  StoreUnits(c, scan.state_c + at);
  StoreUnits(other_h, scan.state_h + beside);
  StoreUnits(other_c, scan.state_c + beside);
}

void ForwardOfAnyCell(const CellParameters& cell, const ForwardScan& scan) {
  constexpr size_t kTwoStrips = size_t{2} * kScanVectors * kLanes;
  size_t at = scan.first_unit;
  const size_t end = at + scan.units;
  for (; at + kTwoStrips <= end; at += kTwoStrips) ForwardTwoStrips<kScanVectors>(cell, scan, at);
  for (; at < end; at += kLanes) ForwardStrip<1>(cell, scan, at);
}

// Past the caches.
template <int kVectors>
HWY_INLINE void StreamUnits(Units<kVectors> units, float* to) {
  if constexpr (kVectors == 1) {
    hn::Stream(units.v, kFloats, to);
  } else {
    StreamUnits(units.low, to);
    StreamUnits(units.high, to + kVectors / 2 * kLanes);
  }
}

// Some neighbouring units of a sequence, whose state is held in registers from turn to turn.
template <PointwiseTerms kTerms, int kVectors>
class ForwardUnitsOfScan {
 public:
  ForwardUnitsOfScan(const CellParameters& cell, const ForwardScan& scan, size_t at)
      : cell_(cell),
        scan_(scan),
        at_(at),
        weights_(LoadWeights<kTerms, kVectors>(cell, scan.diagonals, at)),
        h_(LoadUnits<kVectors>(scan.state_h + at)),
        c_(LoadUnits<kVectors>(scan.state_c + at)) {}

  HWY_INLINE BegunTurn<kVectors> Begin(size_t turn) const {
    const float* input = scan_.input_products[turn] + at_ - scan_.first_unit;
    return BeginTurn<kTerms>(weights_, LoadUnits<kVectors>(input), h_, c_);
  }

  HWY_INLINE void Finish(const BegunTurn<kVectors>& begun, size_t turn) {
    const ptrdiff_t step = static_cast<ptrdiff_t>(turn);
    FinishTurn<kTerms>(begun, h_, c_);
    if (scan_.h != nullptr) {
      Keep(begun.candidate, scan_.kept + step * scan_.kept_stride);
      Keep(c_, scan_.c + step * scan_.state_stride);
      Keep(h_, scan_.h + step * scan_.state_stride);
    }
    if (scan_.output[turn] != nullptr) StoreFirstUnits(h_, scan_.output[turn] + at_, cell_.units - at_);
  }

  HWY_INLINE void Leave() const {
    StoreUnits(h_, scan_.state_h + at_);
    StoreUnits(c_, scan_.state_c + at_);
  }

 private:
  HWY_INLINE void Keep(Units<kVectors> units, float* row) const {
    if (scan_.streams) {
      StreamUnits(units, row + at_);
    } else {
      StoreUnits(units, row + at_);
    }
  }

  const CellParameters& cell_;
  const ForwardScan& scan_;
  size_t at_;
  PointwiseWeights<kVectors> weights_;
  Units<kVectors> h_, c_;
};

template <PointwiseTerms kTerms>
HWY_NOINLINE void ForwardOfPointwiseCell(const CellParameters& cell, const ForwardScan& scan) {
  constexpr size_t kTwoStrips = size_t{2} * kScanVectors * kLanes;
  const bool asks = scan.h != nullptr && !scan.streams;
  size_t at = scan.first_unit;
  const size_t end = at + scan.units;
  for (; at + kTwoStrips <= end; at += kTwoStrips) {
    // Side by side: while the one waits for its activations, the other has work.
    ForwardUnitsOfScan<kTerms, kScanVectors> strip(cell, scan, at), other(cell, scan, at + kScanVectors * kLanes);
    for (size_t turn = 0; turn < scan.turns; ++turn) {
      if (at == scan.first_unit) PrefetchRow(scan.ahead, turn);
      if (asks) PrefetchStates<2 * kScanVectors>(scan, static_cast<ptrdiff_t>(turn) + kTurnsAhead, at);
      const BegunTurn<kScanVectors> begun = strip.Begin(turn), other_begun = other.Begin(turn);
      strip.Finish(begun, turn);
      other.Finish(other_begun, turn);
    }
    strip.Leave();
    other.Leave();
  }
  for (; at < end; at += kLanes) {
    ForwardUnitsOfScan<kTerms, 1> strip(cell, scan, at);
    for (size_t turn = 0; turn < scan.turns; ++turn) strip.Finish(strip.Begin(turn), turn);
    strip.Leave();
  }
}

template <int kVectors>
void BackwardStrip(const CellParameters& cell, const BackwardScan& scan, size_t at) {
  Units<kVectors> dh = LoadUnits<kVectors>(scan.dh + at), dc = LoadUnits<kVectors>(scan.dc + at);
  GradientSums<kVectors> sums;
  LoadSums(cell, scan.sums, at, sums);
  for (size_t turn = 0; turn < scan.turns; ++turn) {
    const ptrdiff_t state = static_cast<ptrdiff_t>(turn) * scan.state_stride + static_cast<ptrdiff_t>(at);
    if (scan.doutput[turn] != nullptr) dh = dh + LoadFirstUnits<kVectors>(scan.doutput[turn] + at, cell.units - at);
    BackwardOperands operands;
    operands.kept = scan.kept + static_cast<ptrdiff_t>(turn) * scan.kept_stride;
    operands.diagonals = scan.diagonals;
    operands.diagonal_factors = scan.diagonal_factors;
    BackwardUnits(cell, operands, at, LoadUnits<kVectors>(scan.h_before + state),
                  LoadUnits<kVectors>(scan.c_before + state), LoadUnits<kVectors>(scan.c_after + state), dh, dc, sums);
  }
  StoreSums(cell, sums, at, scan.sums);
  StoreUnits(dh, scan.dh + at);
  StoreUnits(dc, scan.dc + at);
}

void BackwardOfAnyCell(const CellParameters& cell, const BackwardScan& scan) {
  size_t at = scan.first_unit;
  const size_t end = at + scan.units;
  for (; at + kScanVectors * kLanes <= end; at += kScanVectors * kLanes) BackwardStrip<kScanVectors>(cell, scan, at);
  for (; at < end; at += kLanes) BackwardStrip<1>(cell, scan, at);
}

template <PointwiseTerms kTerms, int kVectors>
void BackwardStripOfPointwiseCell(const CellParameters& cell, const BackwardScan& scan, size_t at) {
  const PointwiseWeights<kVectors> weights = LoadWeights<kTerms, kVectors>(cell, scan.diagonals, at);
  Units<kVectors> dh = LoadUnits<kVectors>(scan.dh + at), dc = LoadUnits<kVectors>(scan.dc + at);
  PointwiseSums<kVectors> sums;
  ClearSums(sums);
  for (size_t turn = 0; turn < scan.turns; ++turn) {
    const ptrdiff_t state = static_cast<ptrdiff_t>(turn) * scan.state_stride + static_cast<ptrdiff_t>(at);
    float* kept = scan.kept + static_cast<ptrdiff_t>(turn) * scan.kept_stride + at;
    if (at == scan.first_unit) PrefetchRow(scan.ahead, turn);
    if (scan.doutput[turn] != nullptr) dh = dh + LoadFirstUnits<kVectors>(scan.doutput[turn] + at, cell.units - at);
    const Units<kVectors> da = BackwardTurn<kTerms>(
        weights, LoadUnits<kVectors>(scan.h_before + state), LoadUnits<kVectors>(scan.c_before + state),
        LoadUnits<kVectors>(scan.h_after + state), LoadUnits<kVectors>(kept), dh, dc, sums);
    StoreUnits(da, kept);
  }
  AddSums<kTerms>(cell, sums, scan.diagonal_factors, at, scan.sums);
  StoreUnits(dh, scan.dh + at);
  StoreUnits(dc, scan.dc + at);
}

template <PointwiseTerms kTerms>
HWY_NOINLINE void BackwardOfPointwiseCell(const CellParameters& cell, const BackwardScan& scan) {
  size_t at = scan.first_unit;
  const size_t end = at + scan.units;
  for (; at + kScanVectors * kLanes <= end; at += kScanVectors * kLanes) {
    BackwardStripOfPointwiseCell<kTerms, kScanVectors>(cell, scan, at);
  }
  for (; at < end; at += kLanes) BackwardStripOfPointwiseCell<kTerms, 1>(cell, scan, at);
}

// As WithPointwiseTerms; false, too, for candidates that are not of x W and u (.) h.
template <class Run>
HWY_INLINE bool WithSettledTerms(const CellParameters& cell, const Run& run) {
  const CellBlock& candidate = cell.blocks[kCandidate];
  if (candidate.fixed != nullptr || candidate.input < 0 || candidate.diagonal < 0) return false;
  return WithPointwiseTerms<true>(cell, run);
}

void Forward(const CellParameters& cell, const ForwardScan& scan) {
  const auto run = [&]<PointwiseTerms kTerms>() HWY_ATTR { ForwardOfPointwiseCell<kTerms.Forward()>(cell, scan); };
  if (!WithSettledTerms(cell, run)) ForwardOfAnyCell(cell, scan);
}

void Backward(const CellParameters& cell, const BackwardScan& scan) {
  const auto run = [&]<PointwiseTerms kTerms>() HWY_ATTR { BackwardOfPointwiseCell<kTerms>(cell, scan); };
  if (!WithSettledTerms(cell, run)) BackwardOfAnyCell(cell, scan);
}

extern const ScanTable kScanTable;
const ScanTable kScanTable = {Forward, Backward};

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slim {

SLIM_CHOOSE_TABLE(ScanTable, kScanTable)

void RunForwardScan(const CellParameters& cell, const ForwardScan& scan) { ChosenScanTable().forward(cell, scan); }

void RunBackwardScan(const CellParameters& cell, const BackwardScan& scan) { ChosenScanTable().backward(cell, scan); }

}  // namespace slim
#endif
