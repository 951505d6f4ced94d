#include "addon/spec_reader.h"

#include <cmath>
#include <limits>

#include "addon/arguments.h"
#include "errors.h"

namespace slim::addon {
namespace {

constexpr uint32_t kMostLayers = 10'000;
constexpr uint32_t kMostArrays = 64;  // of a layer
constexpr uint32_t kMostSizes = 8;    // of a shape
constexpr uint32_t kMostDraws = 64;   // of an initializer

int64_t ReadSize(const Napi::Object& from, const char* name) { return ReadInteger(from, name, 1, kMostSize); }

std::vector<int64_t> ReadShape(const Napi::Object& from, const char* name) {
  const Napi::Array array = ReadArray(from, name, kMostSizes);
  std::vector<int64_t> shape;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    shape.push_back(ReadInteger(array.Get(i), std::string(name) + "[" + std::to_string(i) + "]", 1, kMostSize));
  }
  return shape;
}

Activation ReadActivation(const Napi::Object& from, const char* name) {
  return ReadName<Activation>(from, name,
                              {{"linear", Activation::kLinear},
                               {"relu", Activation::kRelu},
                               {"tanh", Activation::kTanh},
                               {"sigmoid", Activation::kSigmoid},
                               {"hardSigmoid", Activation::kHardSigmoid},
                               {"softmax", Activation::kSoftmax}});
}

/// The blocks that an array's initial values are made of; absent for one draw over the array's own shape.
void ReadDrawnBlocks(const Napi::Object& from, Initializer& initializer) {
  const Napi::Array blocks = ReadArray(from, "blocks", kMostDraws);
  for (uint32_t i = 0; i < blocks.Length(); ++i) {
    const Napi::Object block = ReadObject(blocks.Get(i), "a block of an initializer");
    initializer.blocks.push_back(
        {ReadInteger(block, "draw", 0, kMostDraws), ReadInteger(block, "column", 0, kMostSize)});
  }
  initializer.draw_columns = ReadSize(from, "columns");
  initializer.blocks_are_rows = ReadBoolean(from, "asRows");
  initializer.draws_of_earlier = ReadInteger(from, "ofEarlier", 0, kMostArrays);
}

Initializer ReadInitializer(const Napi::Object& from) {
  Initializer initializer;
  initializer.kind = ReadName<InitializerKind>(from, "kind",
                                               {{"zeros", InitializerKind::kZeros},
                                                {"ones", InitializerKind::kOnes},
                                                {"constant", InitializerKind::kConstant},
                                                {"uniform", InitializerKind::kUniform},
                                                {"normal", InitializerKind::kNormal},
                                                {"glorotUniform", InitializerKind::kGlorotUniform},
                                                {"glorotNormal", InitializerKind::kGlorotNormal},
                                                {"heUniform", InitializerKind::kHeUniform},
                                                {"heNormal", InitializerKind::kHeNormal},
                                                {"orthogonal", InitializerKind::kOrthogonal},
                                                {"lstmBias", InitializerKind::kLstmBias}});
  initializer.value = ReadFloat(from, "value", initializer.value);
  initializer.low = ReadFloat(from, "low", initializer.low);
  initializer.high = ReadFloat(from, "high", initializer.high);
  initializer.mean = ReadFloat(from, "mean", initializer.mean);
  initializer.stddev = ReadFloat(from, "stddev", initializer.stddev);
  initializer.gain = ReadFloat(from, "gain", initializer.gain);
  initializer.fan_in = ReadInteger(from, "fanIn", 0, kMostSize, 0);
  initializer.fan_out = ReadInteger(from, "fanOut", 0, kMostSize, 0);
  initializer.ones_from = ReadInteger(from, "onesFrom", 0, kMostSize, 0);
  initializer.ones_to = ReadInteger(from, "onesTo", 0, kMostSize, 0);
  if (!from.Get("drawn").IsUndefined()) ReadDrawnBlocks(ReadObject(from, "drawn"), initializer);
  return initializer;
}

ParameterSpec ReadParameter(const Napi::Object& from) {
  ParameterSpec parameter;
  parameter.name = ReadString(from, "name");
  parameter.shape = ReadShape(from, "shape");
  parameter.initializer = ReadInitializer(ReadObject(from, "initializer"));
  parameter.trainable = ReadBoolean(from, "trainable");
  return parameter;
}

BlockTerms ReadBlock(const Napi::Object& from) {
  BlockTerms block;
  if (!from.Get("constant").IsUndefined()) {
    block.constant = true;
    block.value = ReadFloat(from, "constant");
    return block;
  }
  block.input = ReadBoolean(from, "input");
  block.recurrent = ReadName<RecurrentTerm>(
      from, "recurrent",
      {{"none", RecurrentTerm::kNone}, {"full", RecurrentTerm::kFull}, {"diagonal", RecurrentTerm::kDiagonal}});
  block.bias = ReadBoolean(from, "bias");
  return block;
}

LstmSpec ReadLstm(const Napi::Object& from) {
  LstmSpec spec;
  spec.units = ReadSize(from, "units");
  const Napi::Array blocks = ReadArray(from, "blocks", kBlocks);
  if (blocks.Length() != kBlocks) RejectValue("an array of 4 blocks", "blocks", blocks);
  for (uint32_t i = 0; i < kBlocks; ++i) spec.cell.blocks[i] = ReadBlock(ReadObject(blocks.Get(i), "a block"));
  spec.cell.activation = ReadActivation(from, "activation");
  spec.cell.gate_activation = ReadActivation(from, "recurrentActivation");
  spec.input_dropout = ReadFloat(from, "dropout");
  spec.recurrent_dropout = ReadFloat(from, "recurrentDropout");
  spec.return_sequences = ReadBoolean(from, "returnSequences");
  spec.go_backwards = ReadBoolean(from, "goBackwards");
  spec.implementation = ReadName<Implementation>(
      from, "implementation",
      {{"auto", Implementation::kAuto}, {"slim", Implementation::kSlim}, {"cudnn", Implementation::kCudnn}});
  return spec;
}

EmbeddingSpec ReadEmbedding(const Napi::Object& from) {
  return {ReadSize(from, "inputDim"), ReadSize(from, "outputDim"), ReadBoolean(from, "maskZero")};
}

Conv1dSpec ReadConv1d(const Napi::Object& from) {
  Conv1dSpec spec;
  spec.filters = ReadSize(from, "filters");
  spec.taps = ReadSize(from, "kernelSize");
  spec.stride = ReadSize(from, "strides");
  spec.dilation = ReadSize(from, "dilationRate");
  using Padding = Conv1dSpec::Padding;
  spec.padding = ReadName<Padding>(
      from, "padding", {{"valid", Padding::kValid}, {"same", Padding::kSame}, {"causal", Padding::kCausal}});
  spec.activation = ReadActivation(from, "activation");
  spec.use_bias = ReadBoolean(from, "useBias");
  return spec;
}

MaxPooling1dSpec ReadMaxPooling1d(const Napi::Object& from) {
  MaxPooling1dSpec spec;
  spec.pool = ReadSize(from, "poolSize");
  spec.stride = ReadSize(from, "strides");
  using Padding = MaxPooling1dSpec::Padding;
  spec.padding = ReadName<Padding>(from, "padding", {{"valid", Padding::kValid}, {"same", Padding::kSame}});
  return spec;
}

BidirectionalSpec ReadBidirectional(const Napi::Object& from) {
  BidirectionalSpec spec;
  spec.forward = ReadLstm(ReadObject(from, "forward"));
  spec.backward = ReadLstm(ReadObject(from, "backward"));
  spec.merge =
      ReadName<Merge>(from, "mergeMode",
                      {{"concat", Merge::kConcat}, {"sum", Merge::kSum}, {"mul", Merge::kMul}, {"ave", Merge::kAve}});
  return spec;
}

DenseSpec ReadDense(const Napi::Object& from) {
  return {ReadSize(from, "units"), ReadActivation(from, "activation"), ReadBoolean(from, "useBias")};
}

using Layer = decltype(LayerSpec::layer);

Layer ReadKind(const Napi::Object& from) {
  using Reader = Layer (*)(const Napi::Object&);
  const auto read = ReadName<Reader>(
      from, "kind",
      {{"embedding", [](const Napi::Object& o) -> Layer { return ReadEmbedding(o); }},
       {"conv1d", [](const Napi::Object& o) -> Layer { return ReadConv1d(o); }},
       {"maxPooling1d", [](const Napi::Object& o) -> Layer { return ReadMaxPooling1d(o); }},
       {"globalMaxPooling1d",
        [](const Napi::Object& o) -> Layer { return GlobalMaxPooling1dSpec{ReadBoolean(o, "keepDims")}; }},
       {"dropout", [](const Napi::Object& o) -> Layer { return DropoutSpec{ReadFloat(o, "rate")}; }},
       {"spatialDropout1d", [](const Napi::Object& o) -> Layer { return SpatialDropout1dSpec{ReadFloat(o, "rate")}; }},
       {"lstm", [](const Napi::Object& o) -> Layer { return ReadLstm(o); }},
       {"bidirectional", [](const Napi::Object& o) -> Layer { return ReadBidirectional(o); }},
       {"dense", [](const Napi::Object& o) -> Layer { return ReadDense(o); }},
       {"activation", [](const Napi::Object& o) -> Layer { return ActivationSpec{ReadActivation(o, "activation")}; }},
       {"flatten", [](const Napi::Object&) -> Layer { return FlattenSpec{}; }}});
  return read(from);
}

LayerSpec ReadLayer(const Napi::Object& from) {
  LayerSpec layer;
  layer.name = ReadString(from, "name");
  layer.layer = ReadKind(from);
  const Napi::Array parameters = ReadArray(from, "parameters", kMostArrays);
  for (uint32_t i = 0; i < parameters.Length(); ++i) {
    layer.parameters.push_back(ReadParameter(ReadObject(parameters.Get(i), "an array of weights")));
  }
  return layer;
}

}  // namespace

ModelSpec ReadModelSpec(const Napi::Value& value) {
  const Napi::Object from = ReadObject(value, "spec");
  ModelSpec spec;
  spec.token_input = ReadBoolean(from, "tokenInput");
  spec.input_shape = ReadShape(from, "inputShape");
  const Napi::Array layers = ReadArray(from, "layers", kMostLayers);
  for (uint32_t i = 0; i < layers.Length(); ++i) {
    const Napi::HandleScope scope(value.Env());
    spec.layers.push_back(ReadLayer(ReadObject(layers.Get(i), "a layer")));
  }
  return spec;
}

TrainingSpec ReadTrainingSpec(const Napi::Value& value) {
  const Napi::Object from = ReadObject(value, "training");
  const Napi::Object optimizer = ReadObject(from, "optimizer");
  TrainingSpec training;
  OptimizerRule& rule = training.optimizer;
  rule.kind = ReadName<OptimizerKind>(optimizer, "kind",
                                      {{"sgd", OptimizerKind::kSgd},
                                       {"rmsprop", OptimizerKind::kRmsprop},
                                       {"adam", OptimizerKind::kAdam},
                                       {"adamw", OptimizerKind::kAdamw}});
  const auto flag = [&](const char* name) {
    return !optimizer.Get(name).IsUndefined() && ReadBoolean(optimizer, name);
  };
  rule.momentum = ReadFloat(optimizer, "momentum", rule.momentum);
  rule.nesterov = flag("nesterov");
  rule.rho = ReadFloat(optimizer, "rho", rule.rho);
  rule.centered = flag("centered");
  rule.beta1 = ReadFloat(optimizer, "beta1", rule.beta1);
  rule.beta2 = ReadFloat(optimizer, "beta2", rule.beta2);
  rule.amsgrad = flag("amsgrad");
  rule.epsilon = ReadFloat(optimizer, "epsilon", rule.epsilon);
  rule.weight_decay = ReadFloat(optimizer, "weightDecay", rule.weight_decay);
  rule.clip_norm = ReadFloat(optimizer, "clipNorm", rule.clip_norm);
  rule.global_clip_norm = ReadFloat(optimizer, "globalClipNorm", rule.global_clip_norm);
  rule.clip_value = ReadFloat(optimizer, "clipValue", rule.clip_value);
  training.loss = ReadName<Loss>(from, "loss",
                                 {{"sparseCategoricalCrossentropy", Loss::kSparseCategoricalCrossentropy},
                                  {"categoricalCrossentropy", Loss::kCategoricalCrossentropy},
                                  {"binaryCrossentropy", Loss::kBinaryCrossentropy},
                                  {"meanSquaredError", Loss::kMeanSquaredError}});
  training.top_k = ReadInteger(from, "topK", 0, kMostSize);
  return training;
}

}  // namespace slim::addon
