#include "program/nodes/recurrence.h"

#include <algorithm>
#include <cmath>

#include "errors.h"
#include "program/nodes/dropout.h"
#include "program/sizes.h"

namespace slim {
namespace {

constexpr const char* kBlockNames[kBlocks] = {"input gate", "forget gate", "candidate", "output gate"};

void CheckCell(const std::string& layer, const Cell& cell) {
  if (cell.activation == Activation::kHardSigmoid) {
    RejectLayer(layer, "Expected tanh, linear, sigmoid, relu or softmax for activation but received hardSigmoid");
  }
  if (cell.gate_activation != Activation::kSigmoid && cell.gate_activation != Activation::kHardSigmoid) {
    RejectLayer(layer, "Expected sigmoid or hardSigmoid for recurrentActivation but received another activation");
  }
  for (int block = 0; block < kBlocks; ++block) {
    const BlockTerms& terms = cell.blocks[block];
    const bool empty = !terms.input && terms.recurrent == RecurrentTerm::kNone && !terms.bias;
    if (terms.constant ? !std::isfinite(terms.value) : empty) {
      RejectLayer(layer, std::string("Expected a finite constant or at least one term for the ") + kBlockNames[block]);
    }
  }
  if (cell.blocks[kCandidate].constant) {
    RejectLayer(layer, "Expected terms for the candidate but received a constant");
  }
}

}  // namespace

std::vector<ExpectedArray> ArraysOf(const LstmSpec& spec, int64_t inputs, const std::string& prefix) {
  const Cell& cell = spec.cell;
  const int64_t n = spec.units;
  std::vector<ExpectedArray> arrays;
  if (cell.InputBlocks() > 0) arrays.push_back({prefix + "kernel", {inputs, cell.InputBlocks() * n}});
  if (cell.FullBlocks() > 0) arrays.push_back({prefix + "recurrent_kernel", {n, cell.FullBlocks() * n}});
  if (cell.DiagonalBlocks() > 0) arrays.push_back({prefix + "recurrent_diagonal", {cell.DiagonalBlocks(), n}});
  if (cell.BiasBlocks() > 0) arrays.push_back({prefix + "bias", {cell.BiasBlocks() * n}});
  return arrays;
}

void CheckLstm(const LayerContext& layer, const LstmSpec& spec, const Signature& input, const NodeSetting& setting) {
  const std::string& name = layer.spec.name;
  CheckedSize(name, "units", spec.units);
  CheckRate(name, "dropout", spec.input_dropout);
  CheckRate(name, "recurrentDropout", spec.recurrent_dropout);
  CheckCell(name, spec.cell);
  // What a device may keep at the most: inputs, the four blocks, states and their gradients of every step.
  const int64_t width = input.shape[1] + 16 * spec.units;
  CheckedElements(name, "a batch of sequences", {setting.batch, input.shape[0], width});
  CheckedElements(name, "the weights", {std::max(input.shape[1], spec.units), 4 * spec.units});
}

Recurrence::Recurrence(const LstmSpec& spec, const Signature& input, const NodeSetting& setting,
                       const WalkSetting& walk, const ParameterRef* arrays)
    : setting_(setting), masked_(input.masked) {
  shape_.cell = spec.cell;
  shape_.steps = input.shape[0];
  shape_.inputs = input.shape[1];
  shape_.units = spec.units;
  shape_.reverse = walk.reverse;
  shape_.return_sequences = spec.return_sequences;
  shape_.align_output = walk.align_output;
  shape_.input_dropout = setting.dropout ? spec.input_dropout : 0.0f;
  shape_.recurrent_dropout = setting.dropout ? spec.recurrent_dropout : 0.0f;
  shape_.input_stream = walk.input_stream;
  shape_.recurrent_stream = walk.recurrent_stream;
  shape_.implementation = spec.implementation;
  if (spec.cell.InputBlocks() > 0) kernel_ = *arrays++;
  if (spec.cell.FullBlocks() > 0) recurrent_kernel_ = *arrays++;
  if (spec.cell.DiagonalBlocks() > 0) recurrent_diagonal_ = *arrays++;
  if (spec.cell.BiasBlocks() > 0) bias_ = *arrays++;
}

void Recurrence::CheckDevice(Backend& backend, const std::string& layer) const {
  try {
    backend.CheckRecurrence(shape_, masked_);
  } catch (const Error& error) {
    throw Error(error.code(), std::string(error.what()) + " (layer " + layer + ")");
  }
}

void Recurrence::PlanForward(Backend& backend, MemoryPlan& plan, int time, bool embedded, BufferId mask) {
  embedded_ = embedded;
  mask_id_ = mask;
  plan.Extend(mask, time);
  // Without a cache the device runs as in inference, so a frozen layer that drops needs one too.
  const bool training = setting_.backward || shape_.input_dropout > 0 || shape_.recurrent_dropout > 0;
  // One byte at least: the address alone tells the device that this is training.
  if (training) {
    cache_id_ = plan.Add(std::max<size_t>(backend.RecurrenceCacheBytes(shape_, setting_.batch, embedded), 1), time);
  }
  scratch_id_ = plan.Add(backend.RecurrenceScratchBytes(shape_, setting_.batch, embedded, training), time);
}

void Recurrence::PlanBackward(Backend& backend, MemoryPlan& plan, int time) {
  plan.Extend(mask_id_, time);
  plan.Extend(cache_id_, time);
  backward_scratch_id_ = plan.Add(backend.RecurrenceScratchBytes(shape_, setting_.batch, embedded_, true), time);
}

void Recurrence::Bind(const Addresses& addresses) {
  mask_ = addresses.Of<uint8_t>(mask_id_);
  cache_ = addresses.Of<void>(cache_id_);
  scratch_ = addresses.Of<void>(scratch_id_);
  backward_scratch_ = addresses.Of<void>(backward_scratch_id_);
  weights_ = {addresses.Values(kernel_), addresses.Values(recurrent_kernel_), addresses.Values(recurrent_diagonal_),
              addresses.Values(bias_)};
  gradients_ = {addresses.Gradient(kernel_), addresses.Gradient(recurrent_kernel_),
                addresses.Gradient(recurrent_diagonal_), addresses.Gradient(bias_)};
}

void Recurrence::Forward(Backend& backend, int64_t batch, const SequenceInput& input, const StateOutput& output) const {
  backend.RecurrenceForward(shape_, batch, input, mask_, weights_, output, cache_, scratch_);
}

void Recurrence::Backward(Backend& backend, int64_t batch, const SequenceInput& input, const StateGradient& doutput,
                          const SequenceGradient& dinput) const {
  backend.RecurrenceBackward(shape_, batch, input, mask_, weights_, doutput, cache_, gradients_, dinput,
                             backward_scratch_);
}

}  // namespace slim
