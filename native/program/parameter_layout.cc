#include "program/parameter_layout.h"

#include <unordered_set>

#include "program/sizes.h"

namespace slim {
namespace {

int64_t Aligned(int64_t floats) {
  return (floats + kParameterAlignment - 1) / kParameterAlignment * kParameterAlignment;
}

}  // namespace

ParameterLayout::ParameterLayout(const std::vector<LayerSpec>& layers) {
  std::unordered_set<std::string> names;
  for (const LayerSpec& layer : layers) {
    first_of_layer_.push_back(parameters_.size());
    for (const ParameterSpec& spec : layer.parameters) {
      if (!names.insert(spec.name).second) {
        RejectLayer(layer.name,
                    "Expected every array of weights to have a name of its own but " + spec.name + " occurs twice");
      }
      if (spec.shape.empty()) RejectLayer(layer.name, "Expected a shape for " + spec.name + " but received []");
      for (const int64_t size : spec.shape) CheckedSize(layer.name, "a size of an array of weights", size);
      const int64_t size = CheckedElements(layer.name, "an array of weights", spec.shape);
      parameters_.push_back({spec.name, spec.shape, spec.initializer, spec.trainable, 0, size});
    }
  }
  first_of_layer_.push_back(parameters_.size());

  const std::string last = layers.empty() ? "" : layers.back().name;
  const auto place = [&](Parameter& parameter) {
    parameter.offset = floats_;
    floats_ += Aligned(parameter.size);
    if (floats_ > kMostElements)
      RejectLayer(last, "Expected at most 2^46 weights in all layers together but there are more");
  };
  for (Parameter& parameter : parameters_) {
    if (!parameter.trainable) continue;
    place(parameter);
    segments_.push_back({parameter.offset, parameter.size});
  }
  trainable_floats_ = floats_;
  for (Parameter& parameter : parameters_) {
    if (!parameter.trainable) place(parameter);
  }
}

bool ParameterLayout::HasTrainable(size_t layer) const {
  for (size_t i = first_of_layer_[layer]; i < first_of_layer_[layer + 1]; ++i) {
    if (parameters_[i].trainable) return true;
  }
  return false;
}

}  // namespace slim
