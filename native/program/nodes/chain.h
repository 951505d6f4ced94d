#pragma once

#include <memory>
#include <vector>

#include "program/nodes/node.h"

namespace slim {

struct ChainSetting {
  int64_t batch = 1;
  bool dropout = false;
  bool backward = false;
  bool input_gradient = false;  // of the model's float32 input; asks for a backward pass of all nodes
  /// Leave out the activation at the end where the loss takes what comes before it.
  std::optional<Loss> loss;
};

struct Chain {
  std::vector<std::unique_ptr<Node>> nodes;
  Signature output;
  OutputForm form = OutputForm::kValues;  // of the output, for the chain's loss
  /// Nodes [first_backward, nodes.size()) have a backward pass; nodes.size() where nothing is trained.
  size_t first_backward = 0;
};

/// The nodes of a model. Throws Error (kInvalidModel) naming the layer where the specification makes no sense.
Chain MakeChain(const ModelSpec& spec, const ParameterLayout& layout, const ChainSetting& setting);

}  // namespace slim
