// Specifications of small models for the tests of programs, and data for them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend.h"
#include "program/dataset.h"
#include "program/jobs.h"
#include "program/model.h"
#include "program/spec.h"

namespace slim::test {

// Builds a specification layer by layer; each call infers what it must know from the arguments alone.
class SpecBuilder {
 public:
  static SpecBuilder Tokens(int64_t steps);
  static SpecBuilder Floats(std::vector<int64_t> shape);

  SpecBuilder& Embedding(int64_t vocabulary, int64_t width, bool mask_zero = false);
  SpecBuilder& Conv1d(int64_t channels, int64_t filters, int64_t taps, Activation activation,
                      Conv1dSpec::Padding padding = Conv1dSpec::Padding::kValid, int64_t stride = 1,
                      int64_t dilation = 1);
  SpecBuilder& MaxPooling1d(int64_t pool, int64_t stride);
  SpecBuilder& GlobalMaxPooling1d();
  SpecBuilder& Dropout(float rate);
  SpecBuilder& SpatialDropout1d(float rate);
  SpecBuilder& Lstm(int64_t inputs, const LstmSpec& spec);
  SpecBuilder& Bidirectional(int64_t inputs, const LstmSpec& forward, Merge merge);
  SpecBuilder& Dense(int64_t inputs, int64_t units, Activation activation);
  SpecBuilder& Activate(Activation activation);
  SpecBuilder& Flatten();
  // Of the layer added last.
  SpecBuilder& Frozen();

  ModelSpec Build() const { return spec_; }

 private:
  template <class Layer>
  LayerSpec& Add(const std::string& kind, const Layer& layer);
  void AddArray(LayerSpec& layer, const std::string& name, std::vector<int64_t> shape, InitializerKind kind);
  void AddLstmArrays(LayerSpec& layer, const std::string& prefix, int64_t inputs, const LstmSpec& spec);

  ModelSpec spec_;
};

// The standard cell, and one with constants, diagonals and missing terms.
Cell StandardCell(Activation activation = Activation::kTanh);
Cell MixedCell(Activation activation = Activation::kTanh);
LstmSpec LstmOf(int64_t units, const Cell& cell, bool return_sequences = false);

// Of 3 classes, with everything that a step has: tokens, dropout of all kinds, both directions, several cells; and,
// unless masked, convolution and pooling.
ModelSpec WholeNetwork(bool masked);

// Rows of random inputs and targets that fit the model and the loss; ids of class 0 to classes - 1.
std::shared_ptr<Dataset> RandomData(const Program& program, Loss loss, int64_t rows, uint64_t seed);

std::unique_ptr<Model> MakeModel(const ModelSpec& spec, int threads = 1, uint64_t seed = 1);
TrainingSpec TrainingOf(Loss loss, OptimizerKind kind = OptimizerKind::kSgd);

std::vector<float> ParametersOf(Model& model);

// A listener that neither aborts nor watches.
const RunListener& NoListener();

}  // namespace slim::test
