#pragma once

#include <cstdint>

#include "program/nodes/node.h"
#include "program/parameter_layout.h"
#include "program/spec.h"

namespace slim {

/// A checked specification: every size is sound, every layer fits the next, every array has the shape its layer needs.
class Program {
 public:
  /// Throws Error (kInvalidModel) naming the layer and what was expected.
  static Program Compile(ModelSpec spec);

  const ModelSpec& spec() const { return spec_; }
  const ParameterLayout& layout() const { return layout_; }
  /// What comes in and goes out, without the batch.
  const Signature& input() const { return input_; }
  const Signature& output() const { return output_; }
  /// Token ids must be below this; 0 where the input is float32.
  int64_t vocabulary() const { return vocabulary_; }

  /// Checks that the device can compute every layer as it asks to be; throws Error (kInvalidModel, kDevice).
  void CheckDevice(Backend& backend) const;

  /// Checks that the training fits the outputs; throws Error (kInvalidModel, kInvalidArgument).
  void CheckTraining(const TrainingSpec& training) const;

 private:
  Program() = default;

  ModelSpec spec_;
  ParameterLayout layout_;
  Signature input_;
  Signature output_;
  int64_t vocabulary_ = 0;
};

}  // namespace slim
