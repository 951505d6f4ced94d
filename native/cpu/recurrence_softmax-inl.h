// The cell whose activation is softmax over the hidden axis: each unit depends on its whole row, so a step takes
// several passes over it.

#if defined(SLIM_CPU_RECURRENCE_SOFTMAX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLIM_CPU_RECURRENCE_SOFTMAX_INL_H_
#undef SLIM_CPU_RECURRENCE_SOFTMAX_INL_H_
#else
#define SLIM_CPU_RECURRENCE_SOFTMAX_INL_H_
#endif

#include <limits>

#include "cpu/recurrence_cell-inl.h"

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {

// v where a unit is, `outside` in the row's padding.
HWY_INLINE Floats WithinRow(Floats v, size_t at, size_t units, float outside) {
  if (at + kLanes <= units) return v;
  return hn::IfThenElse(hn::FirstN(kFloats, units - at), v, hn::Set(kFloats, outside));
}

// In place; `row` is padded to whole vectors.
inline void SoftmaxInPlace(float* row, size_t units) {
  Floats largest = hn::Set(kFloats, -std::numeric_limits<float>::infinity());
  for (size_t at = 0; at < units; at += kLanes) {
    const Floats x = WithinRow(hn::Load(kFloats, row + at), at, units, -std::numeric_limits<float>::infinity());
    largest = hn::IfThenElse(hn::Lt(x, largest), largest, x);  // lets NaN through
    hn::Store(x, kFloats, row + at);
  }
  largest = hn::MaxOfLanes(kFloats, largest);
  Floats sum = hn::Zero(kFloats);
  for (size_t at = 0; at < units; at += kLanes) {
    const Floats e = Exp(hn::Sub(hn::Load(kFloats, row + at), largest));
    sum = hn::Add(sum, e);
    hn::Store(e, kFloats, row + at);
  }
  const Floats scale = hn::Div(hn::Set(kFloats, 1.0f), hn::SumOfLanes(kFloats, sum));
  for (size_t at = 0; at < units; at += kLanes) {
    hn::Store(hn::Mul(hn::Load(kFloats, row + at), scale), kFloats, row + at);
  }
}

// One step of one sequence; store(at, h, c) is called for each vector of units. `rows` [2, padded] is scratch.
template <class Store>
void ForwardSoftmaxRow(const CellParameters& cell, const ForwardOperands& operands, const float* h_before,
                       const float* c_before, float* kept, float* rows, const Store& store) {
  float* values = rows;  // of the candidate, then g(c)
  float* states = rows + cell.padded;
  const CellBlock& candidate = cell.blocks[kCandidate];
  for (size_t at = 0; at < cell.units; at += kLanes) {
    StoreUnits(PreActivation<1>(cell, candidate, operands, at, LoadUnits<1>(h_before + at)), values + at);
  }
  SoftmaxInPlace(values, cell.units);

  for (size_t at = 0; at < cell.units; at += kLanes) {
    const Units<1> h = LoadUnits<1>(h_before + at), c = LoadUnits<1>(c_before + at), value = LoadUnits<1>(values + at);
    if (kept != nullptr) StoreUnits(value, kept + static_cast<size_t>(candidate.kept) * cell.padded + at);
    const Units<1> input = GateValue(cell, cell.blocks[kInputGate], operands, at, h, kept);
    const Units<1> forget = GateValue(cell, cell.blocks[kForgetGate], operands, at, h, kept);
    const Units<1> next = MultiplyAddUnits(forget, c, input * value);
    StoreUnits(next, states + at);
    StoreUnits(next, values + at);
  }
  SoftmaxInPlace(values, cell.units);
  for (size_t at = 0; at < cell.units; at += kLanes) {
    const Units<1> output = GateValue(cell, cell.blocks[kOutputGate], operands, at, LoadUnits<1>(h_before + at), kept);
    store(at, output * LoadUnits<1>(values + at), LoadUnits<1>(states + at));
  }
}

// One step of one sequence back; dh and dc as in BackwardUnits. `rows` [2, padded] is scratch.
inline void BackwardSoftmaxRow(const CellParameters& cell, const BackwardOperands& operands, const float* h_before,
                               const float* c_before, const float* c_after, float* dh, float* dc, float* group_sums,
                               float* rows) {
  float* activated = rows;
  for (size_t at = 0; at < cell.units; at += kLanes) StoreUnits(LoadUnits<1>(c_after + at), activated + at);
  SoftmaxInPlace(activated, cell.units);

  const auto output = [&](size_t at) HWY_ATTR {
    return PastValue(cell, cell.blocks[kOutputGate], operands, at, LoadUnits<1>(h_before + at));
  };
  Floats sum = hn::Zero(kFloats);
  for (size_t at = 0; at < cell.units; at += kLanes) {
    const Units<1> d = LoadUnits<1>(dh + at) * output(at) * LoadUnits<1>(activated + at);
    sum = hn::Add(sum, WithinRow(d.v, at, cell.units, 0.0f));
  }
  const Floats through_state = hn::SumOfLanes(kFloats, sum);

  sum = hn::Zero(kFloats);
  for (size_t at = 0; at < cell.units; at += kLanes) {
    const Units<1> h = LoadUnits<1>(h_before + at);
    const Units<1> d = LoadUnits<1>(dh + at) * output(at);
    const Floats through = hn::Mul(hn::Load(kFloats, activated + at), hn::Sub(d.v, through_state));
    const Units<1> sum_c = {hn::Add(hn::Load(kFloats, dc + at), through)};
    StoreUnits(sum_c, dc + at);
    const Units<1> candidate = PastValue(cell, cell.blocks[kCandidate], operands, at, h);
    const Units<1> input = PastValue(cell, cell.blocks[kInputGate], operands, at, h);
    sum = hn::Add(sum, WithinRow((sum_c * input * candidate).v, at, cell.units, 0.0f));
  }
  const Floats through_candidate = hn::SumOfLanes(kFloats, sum);

  for (size_t at = 0; at < cell.units; at += kLanes) {
    const Units<1> h = LoadUnits<1>(h_before + at);
    const Units<1> gate_output = output(at);
    const Units<1> candidate = PastValue(cell, cell.blocks[kCandidate], operands, at, h);
    const Units<1> input = PastValue(cell, cell.blocks[kInputGate], operands, at, h);
    const Units<1> forget = PastValue(cell, cell.blocks[kForgetGate], operands, at, h);
    Units<1> dh_units = LoadUnits<1>(dh + at), dc_units = LoadUnits<1>(dc + at);
    const Units<1> d = dc_units * input;
    const Units<1> da_candidate = {hn::Mul(candidate.v, hn::Sub(d.v, through_candidate))};
    GradientSums<1> sums;
    LoadSums(cell, group_sums, at, sums);
    SpreadGradients(cell, operands, at, h, LoadUnits<1>(c_before + at), input, forget, candidate, da_candidate,
                    gate_output, LoadUnits<1>(activated + at), dh_units, dc_units, sums);
    StoreSums(cell, sums, at, group_sums);
    StoreUnits(dh_units, dh + at);
    StoreUnits(dc_units, dc + at);
  }
}

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // SLIM_CPU_RECURRENCE_SOFTMAX_INL_H_
