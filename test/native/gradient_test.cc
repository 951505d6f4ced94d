// Gradients of whole networks against differences of the loss, for every kind of layer, with batches of unequal size.

#include <cmath>
#include <string>
#include <vector>

#include "philox.h"
#include "program/jobs.h"
#include "small_models.h"
#include "test.h"

namespace slim::test {
namespace {

using Padding = Conv1dSpec::Padding;

/// Rows and batch are such that the last batch is a smaller one.
constexpr int64_t kRows = 7;
constexpr int64_t kBatch = 3;

/// A network under test: model, data and a way to its loss.
class Network {
 public:
  Network(const ModelSpec& spec, Loss loss, bool dropout = false) : model_(MakeModel(spec)), dropout_(dropout) {
    model_->Compile(TrainingOf(loss));
    data_ = RandomData(model_->program(), loss, kRows, 5);
  }

  Model& model() { return *model_; }

  Gradients Compute(bool input = false) {
    return ComputeGradients(*model_, {{data_, 0, kRows, kBatch}, dropout_, input}, NoListener());
  }

  double LossAt(const std::vector<float>& parameters) {
    model_->WriteParameters(0, parameters.data(), static_cast<int64_t>(parameters.size()));
    return Compute().loss;
  }

 private:
  std::unique_ptr<Model> model_;
  std::shared_ptr<Dataset> data_;
  bool dropout_;
};

double Norm(const std::vector<double>& values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares);
}

/// The slope of the loss along `direction`, from the loss at four places (an error of the fourth order in the
/// distance).
double Slope(Network& network, const std::vector<float>& parameters, const Parameter& array,
             const std::vector<double>& direction, double distance) {
  const auto at = [&](double along) {
    std::vector<float> moved = parameters;
    for (int64_t i = 0; i < array.size; ++i) {
      moved[static_cast<size_t>(array.offset + i)] += static_cast<float>(along * direction[static_cast<size_t>(i)]);
    }
    return network.LossAt(moved);
  };
  return (8 * (at(distance) - at(-distance)) - (at(2 * distance) - at(-2 * distance))) / (12 * distance);
}

/// How far the loss is probed, and how near the gradient must be as a part of its norm.
struct Probe {
  double distance;
  double tolerance;
};
constexpr Probe kSmooth{0.02, 2e-3};
/// Across kinks (relu, hardSigmoid, the maximum of a window) the loss is probed near by, where rounding weighs more.
constexpr Probe kKinked{0.001, 2e-2};

/// Compares along the gradient itself and along a random direction, for each array.
void ExpectGradients(Network& network, const Probe& probe = kSmooth) {
  const std::vector<float> parameters = ParametersOf(network.model());
  const Gradients gradients = network.Compute();
  for (const Parameter& array : network.model().program().layout().parameters()) {
    std::vector<double> gradient(static_cast<size_t>(array.size)), random(gradient.size());
    const RandomStream stream{77, 0, static_cast<uint32_t>(array.offset)};
    for (size_t i = 0; i < gradient.size(); ++i) {
      gradient[i] = gradients.parameters[static_cast<size_t>(array.offset) + i];
      random[i] = static_cast<double>(stream.Word(i)) * 0x1p-31 - 1;
    }
    const double norm = Norm(gradient);
    if (!array.trainable) {
      EXPECT_EQ(norm, 0.0);
      continue;
    }
    if (norm < 1e-7) Fail(__FILE__, __LINE__, "no gradient of " + array.name);
    const double random_norm = Norm(random);
    double along_random = 0;
    std::vector<double> unit(gradient.size());
    for (size_t i = 0; i < gradient.size(); ++i) {
      unit[i] = gradient[i] / norm;
      random[i] /= random_norm;
      along_random += gradient[i] * random[i];
    }
    const double allowed = probe.tolerance * norm + 4e-7 / probe.distance;
    EXPECT_NEAR(Slope(network, parameters, array, unit, probe.distance), norm, allowed);
    EXPECT_NEAR(Slope(network, parameters, array, random, probe.distance), along_random, allowed);
  }
  network.LossAt(parameters);
}

TEST("dense layers with every activation, under every loss") {
  for (const auto activation : {Activation::kLinear, Activation::kTanh, Activation::kSigmoid, Activation::kRelu,
                                Activation::kHardSigmoid, Activation::kSoftmax}) {
    Network network(SpecBuilder::Floats({5}).Dense(5, 6, activation).Dense(6, 3, Activation::kSoftmax).Build(),
                    Loss::kSparseCategoricalCrossentropy);
    const bool kinked = activation == Activation::kRelu || activation == Activation::kHardSigmoid;
    ExpectGradients(network, kinked ? kKinked : kSmooth);
  }
  const struct {
    Loss loss;
    Activation last;
  } losses[] = {
      {Loss::kCategoricalCrossentropy, Activation::kSoftmax}, {Loss::kCategoricalCrossentropy, Activation::kSigmoid},
      {Loss::kBinaryCrossentropy, Activation::kSigmoid},      {Loss::kBinaryCrossentropy, Activation::kSoftmax},
      {Loss::kMeanSquaredError, Activation::kLinear},         {Loss::kMeanSquaredError, Activation::kSigmoid},
      {Loss::kMeanSquaredError, Activation::kSoftmax}};
  for (const auto& [loss, last] : losses) {
    Network network(SpecBuilder::Floats({5}).Dense(5, 4, Activation::kTanh).Dense(4, 3, last).Build(), loss);
    ExpectGradients(network);
  }
}

TEST("conv1d with each padding, stride and dilation, over written rows and over tokens") {
  const struct {
    Padding padding;
    int64_t stride, dilation, out;
  } shapes[] = {{Padding::kValid, 1, 1, 7}, {Padding::kSame, 1, 1, 9},   {Padding::kCausal, 1, 1, 9},
                {Padding::kValid, 2, 1, 4}, {Padding::kSame, 2, 1, 5},   {Padding::kCausal, 1, 2, 9},
                {Padding::kSame, 1, 3, 9},  {Padding::kCausal, 3, 1, 3}, {Padding::kValid, 1, 2, 5}};
  for (const auto& shape : shapes) {
    Network rows(SpecBuilder::Floats({9, 3})
                     .Conv1d(3, 4, 3, Activation::kTanh, shape.padding, shape.stride, shape.dilation)
                     .Flatten()
                     .Dense(4 * shape.out, 3, Activation::kSoftmax)
                     .Build(),
                 Loss::kSparseCategoricalCrossentropy);
    ExpectGradients(rows);
    Network tokens(SpecBuilder::Tokens(9)
                       .Embedding(6, 3)
                       .Conv1d(3, 4, 3, Activation::kTanh, shape.padding, shape.stride, shape.dilation)
                       .Flatten()
                       .Dense(4 * shape.out, 3, Activation::kSoftmax)
                       .Build(),
                   Loss::kSparseCategoricalCrossentropy);
    ExpectGradients(tokens);
  }
}

TEST("convolution, pooling, both dropouts and dense one after the other") {
  Network network(SpecBuilder::Tokens(20)
                      .Embedding(12, 5)
                      .SpatialDropout1d(0.3f)
                      .Conv1d(5, 6, 3, Activation::kTanh)
                      .MaxPooling1d(3, 2)
                      .Dropout(0.4f)
                      .Conv1d(6, 4, 2, Activation::kSoftmax)
                      .GlobalMaxPooling1d()
                      .Dropout(0.2f)
                      .Dense(4, 3, Activation::kSoftmax)
                      .Build(),
                  Loss::kSparseCategoricalCrossentropy, true);
  ExpectGradients(network, kKinked);
}

TEST("lstm of the standard and of a mixed cell, each activation, last state and sequences") {
  for (const bool mixed : {false, true}) {
    for (const auto activation : {Activation::kTanh, Activation::kLinear, Activation::kSigmoid, Activation::kSoftmax}) {
      const Cell cell = mixed ? MixedCell(activation) : StandardCell(activation);
      Network network(SpecBuilder::Floats({6, 4})
                          .Lstm(4, LstmOf(5, cell, true))
                          .Lstm(5, LstmOf(3, cell))
                          .Dense(3, 3, Activation::kSoftmax)
                          .Build(),
                      Loss::kSparseCategoricalCrossentropy);
      ExpectGradients(network);
    }
  }
}

TEST("lstm with dropout of inputs and states, backwards, over tokens with a mask") {
  LstmSpec first = LstmOf(5, StandardCell(), true);
  first.input_dropout = 0.3f;
  first.recurrent_dropout = 0.4f;
  LstmSpec second = LstmOf(4, MixedCell());
  second.go_backwards = true;
  second.recurrent_dropout = 0.2f;
  for (const bool masked : {false, true}) {
    Network network(SpecBuilder::Tokens(8)
                        .Embedding(5, 4, masked)
                        .Lstm(4, first)
                        .Lstm(5, second)
                        .Dense(4, 3, Activation::kSoftmax)
                        .Build(),
                    Loss::kSparseCategoricalCrossentropy, true);
    ExpectGradients(network);
  }
}

TEST("bidirectional in each merge mode, over rows and over tokens, last state and sequences") {
  for (const auto merge : {Merge::kConcat, Merge::kSum, Merge::kMul, Merge::kAve}) {
    const int64_t width = merge == Merge::kConcat ? 8 : 4;
    Network tokens(SpecBuilder::Tokens(7)
                       .Embedding(6, 3)
                       .Bidirectional(3, LstmOf(4, StandardCell(), true), merge)
                       .Bidirectional(width, LstmOf(4, MixedCell()), merge)
                       .Dense(width, 3, Activation::kSoftmax)
                       .Build(),
                   Loss::kSparseCategoricalCrossentropy);
    ExpectGradients(tokens);
  }
}

TEST("frozen arrays get no gradient, and those above and below still get theirs") {
  Network network(SpecBuilder::Tokens(7)
                      .Embedding(6, 3)
                      .Frozen()
                      .Conv1d(3, 4, 2, Activation::kTanh)
                      .Lstm(4, LstmOf(4, StandardCell()))
                      .Frozen()
                      .Dense(4, 3, Activation::kSoftmax)
                      .Build(),
                  Loss::kSparseCategoricalCrossentropy);
  ExpectGradients(network);
}

TEST("the gradient of the input is that of the mean loss over all rows") {
  Network network(SpecBuilder::Floats({4, 3})
                      .Activate(Activation::kTanh)
                      .Dropout(0.3f)
                      .Lstm(3, LstmOf(4, StandardCell()))
                      .Dense(4, 3, Activation::kSoftmax)
                      .Build(),
                  Loss::kSparseCategoricalCrossentropy);
  const Gradients gradients = network.Compute(true);
  REQUIRE(gradients.input.size() == static_cast<size_t>(kRows * 12));
  // The same network with a dense layer in front that leaves the input as it is: there the gradient of its bias is the
  // sum of the gradients over rows and steps.
  ModelSpec spec = SpecBuilder::Floats({4, 3})
                       .Dense(3, 3, Activation::kLinear)
                       .Activate(Activation::kTanh)
                       .Lstm(3, LstmOf(4, StandardCell()))
                       .Dense(4, 3, Activation::kSoftmax)
                       .Build();
  Network shifted(spec, Loss::kSparseCategoricalCrossentropy);
  std::vector<float> parameters = ParametersOf(shifted.model());
  const std::vector<float> original = ParametersOf(network.model());
  const auto& arrays = shifted.model().program().layout().parameters();
  for (int64_t i = 0; i < 9; ++i) parameters[static_cast<size_t>(arrays[0].offset + i)] = i % 4 == 0 ? 1.0f : 0.0f;
  for (int64_t i = 0; i < 3; ++i) parameters[static_cast<size_t>(arrays[1].offset + i)] = 0.0f;
  const auto& others = network.model().program().layout().parameters();
  for (size_t k = 0; k < others.size(); ++k) {
    std::copy_n(original.begin() + others[k].offset, others[k].size, parameters.begin() + arrays[k + 2].offset);
  }
  EXPECT_NEAR(shifted.LossAt(parameters), gradients.loss, 1e-6);
  const Gradients bias = shifted.Compute();
  for (int64_t c = 0; c < 3; ++c) {
    double sum = 0;
    for (size_t i = static_cast<size_t>(c); i < gradients.input.size(); i += 3) sum += gradients.input[i];
    EXPECT_NEAR(sum, bias.parameters[static_cast<size_t>(arrays[1].offset + c)], 1e-6);
  }
}

TEST("rows read through tokens and table give what written rows give") {
  const auto build = [](bool written, int kind) {
    SpecBuilder builder = SpecBuilder::Tokens(9);
    builder.Embedding(7, 4, kind > 0);
    // The linear activation changes nothing but stands between embedding and layer.
    if (written) builder.Activate(Activation::kLinear);
    LstmSpec lstm = LstmOf(5, StandardCell(), true);
    lstm.input_dropout = 0.3f;
    if (kind == 0) builder.Conv1d(4, 5, 3, Activation::kRelu, Padding::kSame);
    if (kind == 1) builder.Lstm(4, lstm);
    if (kind == 2) builder.Bidirectional(4, lstm, Merge::kSum);
    if (kind > 0) builder.Lstm(5, LstmOf(5, MixedCell()));
    if (kind == 0) builder.GlobalMaxPooling1d();
    return builder.Dense(5, 3, Activation::kSoftmax).Build();
  };
  for (int kind = 0; kind < 3; ++kind) {
    Network by_token(build(false, kind), Loss::kSparseCategoricalCrossentropy);
    Network by_row(build(true, kind), Loss::kSparseCategoricalCrossentropy);
    const std::vector<float> parameters = ParametersOf(by_token.model());
    REQUIRE(parameters.size() == ParametersOf(by_row.model()).size());
    by_row.LossAt(parameters);
    const Gradients a = by_token.Compute(), b = by_row.Compute();
    EXPECT_NEAR(a.loss, b.loss, 1e-6);
    for (size_t i = 0; i < parameters.size(); ++i) EXPECT_NEAR(a.parameters[i], b.parameters[i], 1e-6);
  }
}

}  // namespace
}  // namespace slim::test
