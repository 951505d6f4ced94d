#include "program/nodes/identity.h"

namespace slim {

Signature FlattenedSignature(const LayerContext& layer, const Signature& input) {
  ExpectFloats(layer, "flatten", input);
  ExpectNoMask(layer, "flatten", input);
  return {false, {input.Elements()}, false};
}

}  // namespace slim
