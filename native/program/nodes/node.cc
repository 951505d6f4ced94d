#include "program/nodes/node.h"

#include "program/sizes.h"

namespace slim {

std::vector<ParameterRef> CheckArrays(const LayerContext& layer, const std::vector<ExpectedArray>& expected) {
  const std::vector<ParameterSpec>& given = layer.spec.parameters;
  if (given.size() != expected.size()) {
    RejectLayer(layer.spec.name, "Expected " + std::to_string(expected.size()) + " arrays of weights but received " +
                                     std::to_string(given.size()));
  }
  std::vector<ParameterRef> references;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (given[i].shape != expected[i].shape) {
      RejectLayer(layer.spec.name, "Expected the shape " + ShapeText(expected[i].shape) + " for " + expected[i].name +
                                       " but received " + ShapeText(given[i].shape));
    }
    references.push_back({layer.parameters[i].offset, layer.parameters[i].trainable});
  }
  return references;
}

void ExpectFloats(const LayerContext& layer, const char* kind, const Signature& input) {
  if (!input.tokens) return;
  RejectLayer(layer.spec.name,
              std::string("Expected an embedding between token ids and ") + kind + " but there is none");
}

void ExpectSequence(const LayerContext& layer, const char* kind, const Signature& input) {
  ExpectFloats(layer, kind, input);
  if (input.shape.size() == 2) return;
  RejectLayer(layer.spec.name, std::string("Expected an input of shape [steps, channels] for ") + kind +
                                   " but received " + ShapeText(input.shape));
}

void ExpectNoMask(const LayerContext& layer, const char* kind, const Signature& input) {
  if (!input.masked) return;
  RejectLayer(layer.spec.name, std::string("Expected an input without a mask for ") + kind +
                                   " but the embedding before it has maskZero");
}

void CheckBatch(const LayerContext& layer, const char* what, int64_t batch, int64_t elements) {
  CheckedElements(layer.spec.name, what, {batch, elements});
}

}  // namespace slim
