#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backend.h"
#include "program/spec.h"

namespace slim {

/// Arrays begin at multiples of this many floats (64 bytes).
inline constexpr int64_t kParameterAlignment = 16;

/// An array of weights and its place in the contiguous buffer of all.
struct Parameter {
  std::string name;
  std::vector<int64_t> shape;
  Initializer initializer;
  bool trainable;
  int64_t offset;  // in floats; that of the gradient too, where it is trainable
  int64_t size;
};

/// Where each array of a model lies. The trainable ones come first, so that gradients and optimizer state, which only
/// they have, are buffers of the same layout cut short; in both groups the arrays keep the order of the layers. The
/// gaps that alignment leaves hold zeros, which no update, norm or decay changes.
class ParameterLayout {
 public:
  ParameterLayout() = default;
  /// Throws Error (kInvalidModel) for absurd shapes and for names that occur twice.
  explicit ParameterLayout(const std::vector<LayerSpec>& layers);

  /// In the order of the layers.
  const std::vector<Parameter>& parameters() const { return parameters_; }
  /// The first of the layer's arrays, as many as its specification has.
  const Parameter* OfLayer(size_t layer) const { return parameters_.data() + first_of_layer_[layer]; }
  bool HasTrainable(size_t layer) const;

  int64_t floats() const { return floats_; }
  /// Floats of the region that is trained, gaps included.
  int64_t trainable_floats() const { return trainable_floats_; }
  /// The trainable arrays in their order in the buffer.
  const std::vector<Segment>& segments() const { return segments_; }

 private:
  std::vector<Parameter> parameters_;
  std::vector<size_t> first_of_layer_;  // one more than layers: the last is the end
  std::vector<Segment> segments_;
  int64_t floats_ = 0;
  int64_t trainable_floats_ = 0;
};

}  // namespace slim
