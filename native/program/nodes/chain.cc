#include "program/nodes/chain.h"

#include "program/nodes/activation.h"
#include "program/nodes/bidirectional.h"
#include "program/nodes/conv1d.h"
#include "program/nodes/dense.h"
#include "program/nodes/dropout.h"
#include "program/nodes/embedding.h"
#include "program/nodes/identity.h"
#include "program/nodes/lstm.h"
#include "program/nodes/pooling.h"

namespace slim {
namespace {

/// Makes the nodes of one layer after the other.
class ChainMaker {
 public:
  ChainMaker(const ModelSpec& spec, const ParameterLayout& layout, const ChainSetting& setting)
      : spec_(spec), layout_(layout), setting_(setting), first_trained_(FirstTrainedLayer()) {
    signature_ = {spec.token_input, spec.input_shape, false};
  }

  Chain Make() {
    for (size_t i = 0; i < spec_.layers.size(); ++i) {
      layer_ = i;
      const LayerContext context{spec_.layers[i], layout_.OfLayer(i), static_cast<uint32_t>(i)};
      std::visit([&](const auto& layer) { Add(context, layer); }, spec_.layers[i].layer);
    }
    LeaveOutLastActivation();
    chain_.output = chain_.nodes.back()->output();
    if (chain_.first_backward > chain_.nodes.size()) chain_.first_backward = chain_.nodes.size();
    return std::move(chain_);
  }

 private:
  void Add(const LayerContext& layer, const EmbeddingSpec& spec) {
    Append<EmbeddingNode>(layer, spec, signature_, Setting(), NextReadsTokens());
  }

  void Add(const LayerContext& layer, const Conv1dSpec& spec) {
    const bool apart = StandsApart(spec.activation);
    Append<Conv1dNode>(layer, spec, signature_, Setting(), apart ? Activation::kLinear : spec.activation);
    if (apart) Append<ActivationNode>(layer, spec.activation, signature_, ActivationSetting());
  }

  void Add(const LayerContext& layer, const MaxPooling1dSpec& spec) {
    CheckArrays(layer, {});
    Append<MaxPoolNode>(layer, spec, signature_, Setting());
  }

  void Add(const LayerContext& layer, const GlobalMaxPooling1dSpec& spec) {
    CheckArrays(layer, {});
    Append<MaxPoolNode>(layer, spec, signature_, Setting());
  }

  void Add(const LayerContext& layer, const DropoutSpec& spec) { AddDropout(layer, spec); }
  void Add(const LayerContext& layer, const SpatialDropout1dSpec& spec) { AddDropout(layer, spec); }

  template <class Spec>
  void AddDropout(const LayerContext& layer, const Spec& spec) {
    auto node = std::make_unique<DropoutNode>(layer, spec, signature_, Setting());
    CheckArrays(layer, {});
    if (IsActive(spec.rate)) {
      AppendNode(std::move(node));
    } else {
      Append<IdentityNode>(signature_, signature_, Setting());
    }
  }

  void Add(const LayerContext& layer, const LstmSpec& spec) { Append<LstmNode>(layer, spec, signature_, Setting()); }

  void Add(const LayerContext& layer, const BidirectionalSpec& spec) {
    Append<BidirectionalNode>(layer, spec, signature_, Setting());
  }

  void Add(const LayerContext& layer, const DenseSpec& spec) {
    const bool apart = StandsApart(spec.activation);
    Append<DenseNode>(layer, spec, signature_, Setting(), apart ? Activation::kLinear : spec.activation);
    if (apart) Append<ActivationNode>(layer, spec.activation, signature_, ActivationSetting());
  }

  void Add(const LayerContext& layer, const ActivationSpec& spec) {
    ExpectFloats(layer, "activation", signature_);
    CheckArrays(layer, {});
    if (spec.activation == Activation::kLinear) {
      Append<IdentityNode>(signature_, signature_, Setting());
    } else {
      Append<ActivationNode>(layer, spec.activation, signature_, Setting());
    }
  }

  void Add(const LayerContext& layer, const FlattenSpec&) {
    CheckArrays(layer, {});
    Append<IdentityNode>(signature_, FlattenedSignature(layer, signature_), Setting());
  }

  template <class Kind, class... Arguments>
  void Append(Arguments&&... arguments) {
    AppendNode(std::make_unique<Kind>(std::forward<Arguments>(arguments)...));
  }

  void AppendNode(std::unique_ptr<Node> node) {
    if (!HasBackward()) chain_.first_backward = chain_.nodes.size() + 1;
    signature_ = node->output();
    chain_.nodes.push_back(std::move(node));
  }

  /// Softmax needs the whole row, which a product's epilogue does not have; sigmoid at the end of a model is left out
  /// where the loss takes logits.
  bool StandsApart(Activation activation) const {
    const bool last = layer_ + 1 == spec_.layers.size();
    return activation == Activation::kSoftmax || (last && activation == Activation::kSigmoid);
  }

  size_t FirstTrainedLayer() const {
    if (setting_.input_gradient) return 0;
    for (size_t i = 0; i < spec_.layers.size(); ++i) {
      if (layout_.HasTrainable(i)) return i;
    }
    return spec_.layers.size();
  }

  bool HasBackward() const { return setting_.backward && layer_ >= first_trained_; }

  NodeSetting Setting() const {
    return {setting_.batch, setting_.dropout, HasBackward(),
            setting_.backward && (setting_.input_gradient || layer_ > first_trained_)};
  }
  /// Of an activation that is a node after its layer's product.
  NodeSetting ActivationSetting() const { return {setting_.batch, setting_.dropout, HasBackward(), HasBackward()}; }

  bool IsActive(float rate) const { return setting_.dropout && rate > 0.0f; }

  /// Whether the layer after this embedding, apart from dropout that is not active, reads tokens and table itself.
  bool NextReadsTokens() const {
    for (size_t i = layer_ + 1; i < spec_.layers.size(); ++i) {
      const auto& layer = spec_.layers[i].layer;
      if (const auto* dropout = std::get_if<DropoutSpec>(&layer); dropout && !IsActive(dropout->rate)) continue;
      if (const auto* dropout = std::get_if<SpatialDropout1dSpec>(&layer); dropout && !IsActive(dropout->rate))
        continue;
      return std::holds_alternative<Conv1dSpec>(layer) || std::holds_alternative<LstmSpec>(layer) ||
             std::holds_alternative<BidirectionalSpec>(layer);
    }
    return false;
  }

  void LeaveOutLastActivation() {
    if (!setting_.loss) return;
    const Loss loss = *setting_.loss;
    chain_.form = loss == Loss::kMeanSquaredError ? OutputForm::kValues : OutputForm::kProbabilities;
    const auto* last = dynamic_cast<const ActivationNode*>(chain_.nodes.back().get());
    if (last == nullptr) return;
    const Activation fused = loss == Loss::kBinaryCrossentropy ? Activation::kSigmoid : Activation::kSoftmax;
    if (loss == Loss::kMeanSquaredError || last->activation() != fused) return;
    chain_.nodes.pop_back();
    chain_.form = OutputForm::kLogits;
  }

  const ModelSpec& spec_;
  const ParameterLayout& layout_;
  const ChainSetting setting_;
  const size_t first_trained_;
  size_t layer_ = 0;
  Signature signature_;
  Chain chain_;
};

}  // namespace

Chain MakeChain(const ModelSpec& spec, const ParameterLayout& layout, const ChainSetting& setting) {
  return ChainMaker(spec, layout, setting).Make();
}

}  // namespace slim
