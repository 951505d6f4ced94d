#pragma once

#include "program/nodes/node.h"
#include "program/nodes/sequence_source.h"

namespace slim {

/// The random streams and the order of one walk over a sequence.
struct WalkSetting {
  bool reverse = false;
  bool align_output = false;  // see RecurrenceShape
  uint32_t input_stream = 0;
  uint32_t recurrent_stream = 0;
};

/// The arrays that the cell of an LSTM has, their names with a prefix such as "forward/".
std::vector<ExpectedArray> ArraysOf(const LstmSpec& spec, int64_t inputs, const std::string& prefix);

/// Throws Error (kInvalidModel) where sizes, rates or the cell make no sense.
void CheckLstm(const LayerContext& layer, const LstmSpec& spec, const Signature& input, const NodeSetting& setting);

/// One walk over a sequence: lstm has one, bidirectional two.
class Recurrence {
 public:
  Recurrence() = default;
  /// `arrays` are those of ArraysOf, in their order.
  Recurrence(const LstmSpec& spec, const Signature& input, const NodeSetting& setting, const WalkSetting& walk,
             const ParameterRef* arrays);

  /// See Node; `layer` is its name.
  void CheckDevice(Backend& backend, const std::string& layer) const;
  void PlanForward(Backend& backend, MemoryPlan& plan, int time, bool embedded, BufferId mask);
  void PlanBackward(Backend& backend, MemoryPlan& plan, int time);
  void Bind(const Addresses& addresses);

  void Forward(Backend& backend, int64_t batch, const SequenceInput& input, const StateOutput& output) const;
  void Backward(Backend& backend, int64_t batch, const SequenceInput& input, const StateGradient& doutput,
                const SequenceGradient& dinput) const;

 private:
  RecurrenceShape shape_;
  NodeSetting setting_;
  ParameterRef kernel_, recurrent_kernel_, recurrent_diagonal_, bias_;
  bool masked_ = false;
  bool embedded_ = false;

  BufferId mask_id_ = kNoBuffer, cache_id_ = kNoBuffer, scratch_id_ = kNoBuffer, backward_scratch_id_ = kNoBuffer;
  const uint8_t* mask_ = nullptr;
  RecurrenceWeights weights_{};
  RecurrenceGradients gradients_{};
  void* cache_ = nullptr;
  void* scratch_ = nullptr;
  void* backward_scratch_ = nullptr;
};

}  // namespace slim
