// Which layers cuDNN's LSTM computes. Needs nothing of cuDNN, so that the answer is the same wherever it is asked.

#include <algorithm>
#include <limits>

#include "cuda/cudnn.h"

namespace slim::cuda {
namespace {

bool IsStandard(const Cell& cell) {
  const bool bias = cell.blocks[kInputGate].bias;
  return std::all_of(std::begin(cell.blocks), std::end(cell.blocks), [&](const BlockTerms& block) {
    return !block.constant && block.input && block.recurrent == RecurrentTerm::kFull && block.bias == bias;
  });
}

}  // namespace

std::string WhyNotCudnn(const RecurrenceShape& shape, bool masked) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  if (!IsStandard(shape.cell)) return "cuDNN knows the standard LSTM alone, whose four blocks have all terms";
  if (shape.cell.activation != Activation::kTanh || shape.cell.gate_activation != Activation::kSigmoid) {
    return "cuDNN's LSTM has the activations tanh and sigmoid alone";
  }
  if (shape.input_dropout > 0 || shape.recurrent_dropout > 0) return "cuDNN's LSTM has no dropout within the layer";
  if (masked) return "cuDNN's LSTM takes no mask: it wants the lengths of the sequences before a step is recorded";
  if (shape.steps > kMost || shape.inputs > kMost || shape.units > kMost) return "cuDNN's sizes are 32 bits wide";
  return "";
}

int64_t LargestCudnnBatch(const RecurrenceShape& shape) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  return kMost / shape.steps / std::max(shape.inputs, shape.units);
}

}  // namespace slim::cuda
