#include "small_models.h"

#include "cpu/cpu_backend.h"
#include "philox.h"

namespace slim::test {

SpecBuilder SpecBuilder::Tokens(int64_t steps) {
  SpecBuilder builder;
  builder.spec_.token_input = true;
  builder.spec_.input_shape = {steps};
  return builder;
}

SpecBuilder SpecBuilder::Floats(std::vector<int64_t> shape) {
  SpecBuilder builder;
  builder.spec_.input_shape = std::move(shape);
  return builder;
}

template <class Layer>
LayerSpec& SpecBuilder::Add(const std::string& kind, const Layer& layer) {
  LayerSpec spec;
  spec.name = kind + "_" + std::to_string(spec_.layers.size());
  spec.layer = layer;
  spec_.layers.push_back(std::move(spec));
  return spec_.layers.back();
}

void SpecBuilder::AddArray(LayerSpec& layer, const std::string& name, std::vector<int64_t> shape,
                           InitializerKind kind) {
  ParameterSpec parameter;
  parameter.name = layer.name + "/" + name;
  parameter.shape = std::move(shape);
  parameter.initializer.kind = kind;
  parameter.initializer.low = -0.6f;
  parameter.initializer.high = 0.6f;
  layer.parameters.push_back(std::move(parameter));
}

SpecBuilder& SpecBuilder::Embedding(int64_t vocabulary, int64_t width, bool mask_zero) {
  EmbeddingSpec spec;
  spec.vocabulary = vocabulary;
  spec.width = width;
  spec.mask_zero = mask_zero;
  AddArray(Add("embedding", spec), "embeddings", {vocabulary, width}, InitializerKind::kUniform);
  return *this;
}

SpecBuilder& SpecBuilder::Conv1d(int64_t channels, int64_t filters, int64_t taps, Activation activation,
                                 Conv1dSpec::Padding padding, int64_t stride, int64_t dilation) {
  Conv1dSpec spec;
  spec.filters = filters;
  spec.taps = taps;
  spec.stride = stride;
  spec.dilation = dilation;
  spec.padding = padding;
  spec.activation = activation;
  LayerSpec& layer = Add("conv1d", spec);
  AddArray(layer, "kernel", {taps, channels, filters}, InitializerKind::kGlorotUniform);
  AddArray(layer, "bias", {filters}, InitializerKind::kUniform);
  return *this;
}

SpecBuilder& SpecBuilder::MaxPooling1d(int64_t pool, int64_t stride) {
  MaxPooling1dSpec spec;
  spec.pool = pool;
  spec.stride = stride;
  Add("max_pooling1d", spec);
  return *this;
}

SpecBuilder& SpecBuilder::GlobalMaxPooling1d() {
  Add("global_max_pooling1d", GlobalMaxPooling1dSpec{});
  return *this;
}

SpecBuilder& SpecBuilder::Dropout(float rate) {
  Add("dropout", DropoutSpec{rate});
  return *this;
}

SpecBuilder& SpecBuilder::SpatialDropout1d(float rate) {
  Add("spatial_dropout1d", SpatialDropout1dSpec{rate});
  return *this;
}

void SpecBuilder::AddLstmArrays(LayerSpec& layer, const std::string& prefix, int64_t inputs, const LstmSpec& spec) {
  const Cell& cell = spec.cell;
  const int64_t n = spec.units;
  constexpr auto kUniform = InitializerKind::kUniform;
  if (cell.InputBlocks() > 0) AddArray(layer, prefix + "kernel", {inputs, cell.InputBlocks() * n}, kUniform);
  if (cell.FullBlocks() > 0) AddArray(layer, prefix + "recurrent_kernel", {n, cell.FullBlocks() * n}, kUniform);
  if (cell.DiagonalBlocks() > 0) AddArray(layer, prefix + "recurrent_diagonal", {cell.DiagonalBlocks(), n}, kUniform);
  if (cell.BiasBlocks() > 0) AddArray(layer, prefix + "bias", {cell.BiasBlocks() * n}, kUniform);
}

SpecBuilder& SpecBuilder::Lstm(int64_t inputs, const LstmSpec& spec) {
  AddLstmArrays(Add("lstm", spec), "", inputs, spec);
  return *this;
}

SpecBuilder& SpecBuilder::Bidirectional(int64_t inputs, const LstmSpec& forward, Merge merge) {
  BidirectionalSpec spec;
  spec.forward = forward;
  spec.backward = forward;
  spec.backward.go_backwards = !forward.go_backwards;
  spec.merge = merge;
  LayerSpec& layer = Add("bidirectional", spec);
  AddLstmArrays(layer, "forward/", inputs, forward);
  AddLstmArrays(layer, "backward/", inputs, forward);
  return *this;
}

SpecBuilder& SpecBuilder::Dense(int64_t inputs, int64_t units, Activation activation) {
  DenseSpec spec;
  spec.units = units;
  spec.activation = activation;
  LayerSpec& layer = Add("dense", spec);
  AddArray(layer, "kernel", {inputs, units}, InitializerKind::kGlorotUniform);
  AddArray(layer, "bias", {units}, InitializerKind::kUniform);
  return *this;
}

SpecBuilder& SpecBuilder::Activate(Activation activation) {
  Add("activation", ActivationSpec{activation});
  return *this;
}

SpecBuilder& SpecBuilder::Flatten() {
  Add("flatten", FlattenSpec{});
  return *this;
}

SpecBuilder& SpecBuilder::Frozen() {
  for (ParameterSpec& parameter : spec_.layers.back().parameters) parameter.trainable = false;
  return *this;
}

Cell StandardCell(Activation activation) {
  Cell cell;
  for (BlockTerms& block : cell.blocks) block = {true, RecurrentTerm::kFull, true, false, 0.0f};
  cell.activation = activation;
  return cell;
}

Cell MixedCell(Activation activation) {
  Cell cell;
  cell.blocks[kInputGate] = {false, RecurrentTerm::kDiagonal, true, false, 0.0f};
  cell.blocks[kForgetGate] = {false, RecurrentTerm::kNone, false, true, 0.9f};
  cell.blocks[kCandidate] = {true, RecurrentTerm::kFull, true, false, 0.0f};
  cell.blocks[kOutputGate] = {true, RecurrentTerm::kNone, false, false, 0.0f};
  cell.activation = activation;
  return cell;
}

LstmSpec LstmOf(int64_t units, const Cell& cell, bool return_sequences) {
  LstmSpec spec;
  spec.units = units;
  spec.cell = cell;
  spec.return_sequences = return_sequences;
  return spec;
}

ModelSpec WholeNetwork(bool masked) {
  LstmSpec lstm = LstmOf(6, StandardCell(), true);
  lstm.input_dropout = 0.2f;
  lstm.recurrent_dropout = 0.3f;
  SpecBuilder builder = SpecBuilder::Tokens(12);
  builder.Embedding(15, 6, masked).SpatialDropout1d(0.1f);
  if (!masked) builder.Conv1d(6, 6, 3, Activation::kRelu).MaxPooling1d(2, 2).Dropout(0.2f);
  return builder.Bidirectional(6, lstm, Merge::kMul)
      .Bidirectional(6, LstmOf(4, MixedCell()), Merge::kAve)
      .Dense(4, 5, Activation::kTanh)
      .Dense(5, 3, Activation::kSoftmax)
      .Build();
}

std::shared_ptr<Dataset> RandomData(const Program& program, Loss loss, int64_t rows, uint64_t seed) {
  const bool sparse = loss == Loss::kSparseCategoricalCrossentropy;
  const int64_t outputs = program.output().Elements();
  DatasetShape shape;
  shape.rows = rows;
  shape.input_width = program.input().Elements();
  shape.vocabulary = program.vocabulary();
  shape.target_width = sparse ? 1 : outputs;
  shape.classes = sparse ? outputs : 0;
  auto data = std::make_shared<Dataset>(shape);
  const RandomStream stream{seed, 0, 0};
  uint64_t next = 0;
  const auto number = [&] { return static_cast<double>(stream.Word(next++)) * 0x1p-32; };

  std::vector<int32_t> tokens;
  std::vector<float> numbers;
  for (int64_t i = 0; i < rows * shape.input_width; ++i) {
    if (shape.vocabulary > 0)
      tokens.push_back(static_cast<int32_t>(number() * static_cast<double>(shape.vocabulary)));
    else
      numbers.push_back(static_cast<float>(2 * number() - 1));
  }
  shape.vocabulary > 0 ? data->AppendInputs(tokens.data(), static_cast<int64_t>(tokens.size()))
                       : data->AppendInputs(numbers.data(), static_cast<int64_t>(numbers.size()));
  std::vector<int32_t> classes;
  std::vector<float> targets;
  for (int64_t row = 0; row < rows; ++row) {
    const auto chosen = static_cast<int64_t>(number() * static_cast<double>(outputs));
    classes.push_back(static_cast<int32_t>(chosen));
    for (int64_t c = 0; c < outputs; ++c) {
      if (loss == Loss::kMeanSquaredError)
        targets.push_back(static_cast<float>(number()));
      else if (loss == Loss::kBinaryCrossentropy)
        targets.push_back(number() < 0.5 ? 0.0f : 1.0f);
      else
        targets.push_back(c == chosen ? 1.0f : 0.0f);
    }
  }
  sparse ? data->AppendTargets(classes.data(), rows)
         : data->AppendTargets(targets.data(), static_cast<int64_t>(targets.size()));
  return data;
}

std::unique_ptr<Model> MakeModel(const ModelSpec& spec, int threads, uint64_t seed) {
  return std::make_unique<Model>(spec, MakeCpuBackend(threads), seed);
}

TrainingSpec TrainingOf(Loss loss, OptimizerKind kind) {
  TrainingSpec training;
  training.loss = loss;
  training.optimizer.kind = kind;
  return training;
}

std::vector<float> ParametersOf(Model& model) {
  std::vector<float> values(static_cast<size_t>(model.program().layout().floats()));
  model.ReadParameters(values.data());
  return values;
}

const RunListener& NoListener() {
  static const std::atomic<bool> never{false};
  static const RunListener listener{&never, {}};
  return listener;
}

}  // namespace slim::test
