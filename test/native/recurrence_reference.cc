#include "recurrence_reference.h"

#include "cell.h"
#include "cpu/recurrence_turns.h"

namespace slim {
namespace {

// Sizes and the places of elements, so that the loops below read as the formulas.
template <class Real>
struct Walk {
  const ReferenceOperands<Real>& operands;
  const RecurrenceShape& shape;
  BlockPositions positions;
  int64_t steps, inputs, units, input_width, full_width;

  explicit Walk(const ReferenceOperands<Real>& o)
      : operands(o),
        shape(o.shape),
        positions(PositionsOf(shape.cell)),
        steps(shape.steps),
        inputs(shape.inputs),
        units(shape.units),
        input_width(shape.cell.InputBlocks() * shape.units),
        full_width(shape.cell.FullBlocks() * shape.units) {}

  int64_t XRow(int64_t b, int64_t turn) const { return (b * steps + TimeOfTurn(shape, turn)) * inputs; }
  int64_t State(int64_t b, int64_t turn) const { return (b * (steps + 1) + turn) * units; }
  int64_t Blocks(int64_t b, int64_t turn) const { return (b * steps + turn) * kBlocks * units; }

  bool Counts(int64_t b, int64_t turn) const {
    return operands.mask.empty() || operands.mask[static_cast<size_t>(b * steps + TimeOfTurn(shape, turn))] != 0;
  }
  Real InputFactor(int64_t b, int k, int64_t i) const {
    if (operands.input_factors.empty()) return Real(1);
    return operands.input_factors[static_cast<size_t>((b * kBlocks + k) * inputs + i)];
  }
  Real RecurrentFactor(int64_t b, int k, int64_t j) const {
    if (operands.recurrent_factors.empty()) return Real(1);
    return operands.recurrent_factors[static_cast<size_t>((b * kBlocks + k) * units + j)];
  }
};

// The pre-activations of block k of sequence b at a turn.
template <class Real>
void PreActivations(const Walk<Real>& walk, int64_t b, int64_t turn, int k, const Real* h_before, Real* a) {
  const ReferenceOperands<Real>& operands = walk.operands;
  const BlockPositions& at = walk.positions;
  const int64_t n = walk.units;
  for (int64_t j = 0; j < n; ++j) {
    a[j] = at.bias[k] < 0 ? Real(0) : operands.bias[static_cast<size_t>(at.bias[k] * n + j)];
  }
  if (at.input[k] >= 0) {
    for (int64_t i = 0; i < walk.inputs; ++i) {
      const Real x = operands.x[static_cast<size_t>(walk.XRow(b, turn) + i)] * walk.InputFactor(b, k, i);
      const Real* row = operands.kernel.data() + i * walk.input_width + at.input[k] * n;
      for (int64_t j = 0; j < n; ++j) a[j] += x * row[j];
    }
  }
  if (at.full[k] >= 0) {
    for (int64_t i = 0; i < n; ++i) {
      const Real h = h_before[i] * walk.RecurrentFactor(b, k, i);
      const Real* row = operands.recurrent_kernel.data() + i * walk.full_width + at.full[k] * n;
      for (int64_t j = 0; j < n; ++j) a[j] += h * row[j];
    }
  }
  if (at.diagonal[k] >= 0) {
    const Real* u = operands.recurrent_diagonal.data() + at.diagonal[k] * n;
    for (int64_t j = 0; j < n; ++j) a[j] += u[j] * h_before[j] * walk.RecurrentFactor(b, k, j);
  }
}

// Adds to the gradients what comes through the pre-activations of block k: da [n].
template <class Real>
void PreActivationGradients(const Walk<Real>& walk, int64_t b, int64_t turn, int k, const Real* h_before,
                            const Real* da, Real* dh_before, ReferenceGradients<Real>& gradients) {
  const ReferenceOperands<Real>& operands = walk.operands;
  const BlockPositions& at = walk.positions;
  const int64_t n = walk.units;
  if (at.bias[k] >= 0) {
    for (int64_t j = 0; j < n; ++j) gradients.bias[static_cast<size_t>(at.bias[k] * n + j)] += da[j];
  }
  if (at.input[k] >= 0) {
    for (int64_t i = 0; i < walk.inputs; ++i) {
      const size_t x_at = static_cast<size_t>(walk.XRow(b, turn) + i);
      const Real factor = walk.InputFactor(b, k, i);
      const int64_t row = i * walk.input_width + at.input[k] * n;
      Real dx = 0;
      for (int64_t j = 0; j < n; ++j) {
        gradients.kernel[static_cast<size_t>(row + j)] += operands.x[x_at] * factor * da[j];
        dx += da[j] * operands.kernel[static_cast<size_t>(row + j)];
      }
      gradients.x[x_at] += dx * factor;
    }
  }
  if (at.full[k] >= 0) {
    for (int64_t i = 0; i < n; ++i) {
      const Real factor = walk.RecurrentFactor(b, k, i);
      const int64_t row = i * walk.full_width + at.full[k] * n;
      Real dh = 0;
      for (int64_t j = 0; j < n; ++j) {
        gradients.recurrent_kernel[static_cast<size_t>(row + j)] += h_before[i] * factor * da[j];
        dh += da[j] * operands.recurrent_kernel[static_cast<size_t>(row + j)];
      }
      dh_before[i] += dh * factor;
    }
  }
  if (at.diagonal[k] >= 0) {
    for (int64_t j = 0; j < n; ++j) {
      const size_t u_at = static_cast<size_t>(at.diagonal[k] * n + j);
      const Real factor = walk.RecurrentFactor(b, k, j);
      gradients.recurrent_diagonal[u_at] += h_before[j] * factor * da[j];
      dh_before[j] += operands.recurrent_diagonal[u_at] * factor * da[j];
    }
  }
}

template <class Real>
BlockValues<Real> ValuesAt(const Real* blocks, int64_t units, int64_t j) {
  return {{blocks[j], blocks[units + j], blocks[2 * units + j], blocks[3 * units + j]}};
}

template <class Real>
void ForwardStep(const Walk<Real>& walk, int64_t b, int64_t turn, ReferenceStates<Real>& states) {
  const Cell& cell = walk.shape.cell;
  const int64_t n = walk.units;
  const Real* h_before = states.h.data() + walk.State(b, turn);
  const Real* c_before = states.c.data() + walk.State(b, turn);
  Real* h = states.h.data() + walk.State(b, turn + 1);
  Real* c = states.c.data() + walk.State(b, turn + 1);
  Real* blocks = states.blocks.data() + walk.Blocks(b, turn);
  if (!walk.Counts(b, turn)) {
    for (int64_t j = 0; j < n; ++j) h[j] = h_before[j], c[j] = c_before[j];
    return;
  }
  for (int k = 0; k < kBlocks; ++k) {
    Real* values = blocks + k * n;
    if (cell.blocks[k].constant) {
      for (int64_t j = 0; j < n; ++j) values[j] = Real(cell.blocks[k].value);
      continue;
    }
    PreActivations(walk, b, turn, k, h_before, values);
    ActivateRow(k == kCandidate ? cell.activation : cell.gate_activation, n, values, values);
  }
  for (int64_t j = 0; j < n; ++j) c[j] = NextState(ValuesAt(blocks, n, j), c_before[j]);
  ActivateRow(cell.activation, n, c, h);
  for (int64_t j = 0; j < n; ++j) h[j] = Output(ValuesAt(blocks, n, j), h[j]);
}

// dh and dc hold the gradients of the state after the turn and get those of the state before it.
template <class Real>
void BackwardStep(const Walk<Real>& walk, int64_t b, int64_t turn, const ReferenceStates<Real>& states,
                  std::vector<Real>& dh, std::vector<Real>& dc, ReferenceGradients<Real>& gradients) {
  if (!walk.Counts(b, turn)) return;
  const Cell& cell = walk.shape.cell;
  const int64_t n = walk.units;
  const size_t size = static_cast<size_t>(n);
  const Real* h_before = states.h.data() + walk.State(b, turn);
  const Real* c_before = states.c.data() + walk.State(b, turn);
  const Real* c = states.c.data() + walk.State(b, turn + 1);
  const Real* blocks = states.blocks.data() + walk.Blocks(b, turn);

  std::vector<Real> activated(size), dactivated(size), da(size * kBlocks), dh_before(size, Real(0));
  ActivateRow(cell.activation, n, c, activated.data());
  for (size_t j = 0; j < size; ++j) dactivated[j] = dh[j] * blocks[kOutputGate * n + static_cast<int64_t>(j)];
  ActivateRowGradient(cell.activation, n, activated.data(), dactivated.data(), dactivated.data());
  for (int64_t j = 0; j < n; ++j) {
    const size_t at = static_cast<size_t>(j);
    const BlockValues<Real> values = ValuesAt(blocks, n, j);
    dc[at] += dactivated[at];
    const BlockValues<Real> d = BlockGradients(values, c_before[j], activated[at], dh[at], dc[at]);
    for (int k = 0; k < kBlocks; ++k) da[static_cast<size_t>(k) * size + at] = d[k];
    dc[at] *= values[kForgetGate];
  }
  for (int k = 0; k < kBlocks; ++k) {
    if (cell.blocks[k].constant) continue;
    Real* da_block = da.data() + k * n;
    const Activation activation = k == kCandidate ? cell.activation : cell.gate_activation;
    ActivateRowGradient(activation, n, blocks + k * n, da_block, da_block);
    PreActivationGradients(walk, b, turn, k, h_before, da_block, dh_before.data(), gradients);
  }
  dh = dh_before;
}

}  // namespace

template <class Real>
void MakeDropoutFactors(const StepValues& step, ReferenceOperands<Real>& operands) {
  const auto fill = [&](float rate, uint32_t stream, int64_t width, std::vector<Real>& factors) {
    factors.clear();
    if (rate <= 0.0f) return;
    const RandomStream words{step.seed, step.step, stream};
    factors.resize(static_cast<size_t>(operands.batch * kBlocks * width));
    for (size_t i = 0; i < factors.size(); ++i) factors[i] = DropoutFactor<Real>(words, rate, i);
  };
  const RecurrenceShape& shape = operands.shape;
  fill(shape.input_dropout, shape.input_stream, shape.inputs, operands.input_factors);
  fill(shape.recurrent_dropout, shape.recurrent_stream, shape.units, operands.recurrent_factors);
}

template <class Real>
ReferenceStates<Real> ReferenceForward(const ReferenceOperands<Real>& operands) {
  const Walk<Real> walk(operands);
  ReferenceStates<Real> states;
  states.blocks.resize(static_cast<size_t>(operands.batch * walk.steps * kBlocks * walk.units));
  states.c.resize(static_cast<size_t>(operands.batch * (walk.steps + 1) * walk.units));
  states.h.resize(states.c.size());
  for (int64_t b = 0; b < operands.batch; ++b) {
    for (int64_t turn = 0; turn < walk.steps; ++turn) ForwardStep(walk, b, turn, states);
  }
  return states;
}

template <class Real>
std::vector<Real> ReferenceOutput(const RecurrenceShape& shape, int64_t batch, const ReferenceStates<Real>& states) {
  const int64_t rows = shape.return_sequences ? shape.steps : 1;
  std::vector<Real> output(static_cast<size_t>(batch * rows * shape.units));
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t turn = shape.return_sequences ? row : shape.steps - 1;
      const Real* h = states.h.data() + (b * (shape.steps + 1) + turn + 1) * shape.units;
      const int64_t to = b * rows + (shape.return_sequences ? OutputRowOfTurn(shape, turn) : 0);
      for (int64_t j = 0; j < shape.units; ++j) output[static_cast<size_t>(to * shape.units + j)] = h[j];
    }
  }
  return output;
}

template <class Real>
ReferenceGradients<Real> ReferenceBackward(const ReferenceOperands<Real>& operands, const ReferenceStates<Real>& states,
                                           const std::vector<Real>& doutput) {
  const Walk<Real> walk(operands);
  ReferenceGradients<Real> gradients;
  gradients.x.resize(operands.x.size());
  gradients.kernel.resize(operands.kernel.size());
  gradients.recurrent_kernel.resize(operands.recurrent_kernel.size());
  gradients.recurrent_diagonal.resize(operands.recurrent_diagonal.size());
  gradients.bias.resize(operands.bias.size());
  const int64_t n = walk.units;
  for (int64_t b = 0; b < operands.batch; ++b) {
    std::vector<Real> dh(static_cast<size_t>(n)), dc(static_cast<size_t>(n));
    for (int64_t turn = walk.steps - 1; turn >= 0; --turn) {
      if (walk.shape.return_sequences || turn == walk.steps - 1) {
        const int64_t row = walk.shape.return_sequences ? b * walk.steps + OutputRowOfTurn(walk.shape, turn) : b;
        for (int64_t j = 0; j < n; ++j) dh[static_cast<size_t>(j)] += doutput[static_cast<size_t>(row * n + j)];
      }
      BackwardStep(walk, b, turn, states, dh, dc, gradients);
    }
  }
  return gradients;
}

#define SLIM_INSTANTIATE(Real)                                                                                      \
  template void MakeDropoutFactors(const StepValues&, ReferenceOperands<Real>&);                                    \
  template ReferenceStates<Real> ReferenceForward(const ReferenceOperands<Real>&);                                  \
  template std::vector<Real> ReferenceOutput(const RecurrenceShape&, int64_t, const ReferenceStates<Real>&);        \
  template ReferenceGradients<Real> ReferenceBackward(const ReferenceOperands<Real>&, const ReferenceStates<Real>&, \
                                                      const std::vector<Real>&);
SLIM_INSTANTIATE(float)
SLIM_INSTANTIATE(double)
#undef SLIM_INSTANTIATE

}  // namespace slim
