// Specifications are compiled and checked: what is sound gives the shapes of Keras, what is not is refused by layer.

#include "program/program.h"

#include <functional>
#include <string>

#include "caught.h"
#include "small_models.h"
#include "test.h"

namespace slim::test {
namespace {

using Padding = Conv1dSpec::Padding;

/// The kInvalidModel error that compiling throws; empty where it throws none.
std::string RefusalOf(const ModelSpec& spec) {
  const Caught error = ErrorOf([&] { Program::Compile(spec); });
  EXPECT(!error.code || *error.code == ErrorCode::kInvalidModel);
  return error.text;
}

ModelSpec PaperNetwork() {
  return SpecBuilder::Tokens(1000)
      .Embedding(20000, 100)
      .Frozen()
      .Conv1d(100, 128, 5, Activation::kRelu)
      .MaxPooling1d(5, 5)
      .Dropout(0.2f)
      .Conv1d(128, 128, 5, Activation::kRelu)
      .MaxPooling1d(5, 5)
      .Dropout(0.2f)
      .Conv1d(128, 128, 5, Activation::kRelu)
      .MaxPooling1d(5, 5)
      .Dropout(0.2f)
      .Bidirectional(128, LstmOf(128, StandardCell()), Merge::kConcat)
      .Dense(256, 128, Activation::kRelu)
      .Dense(128, 20, Activation::kSoftmax)
      .Build();
}

TEST("the paper's network compiles to Keras' shapes, trainable arrays first, each aligned") {
  const Program program = Program::Compile(PaperNetwork());
  EXPECT(program.output().shape == std::vector<int64_t>{20});
  EXPECT_EQ(program.vocabulary(), 20000);
  const ParameterLayout& layout = program.layout();
  EXPECT_EQ(layout.floats() - layout.trainable_floats(), 2'000'000);
  // 64128 + 82048 + 82048 + 2 * 131584 + 32896 + 2580, and 12 floats that round up the last bias.
  EXPECT_EQ(layout.trainable_floats(), 526880);
  EXPECT_EQ(layout.parameters()[0].offset, layout.trainable_floats());
  for (const Parameter& parameter : layout.parameters()) EXPECT_EQ(parameter.offset % kParameterAlignment, 0);
}

TEST("padding and strides give Keras' lengths") {
  const auto steps = [](Padding padding, int64_t taps, int64_t stride, int64_t dilation) {
    return Program::Compile(
               SpecBuilder::Floats({10, 3}).Conv1d(3, 4, taps, Activation::kRelu, padding, stride, dilation).Build())
        .output()
        .shape[0];
  };
  EXPECT_EQ(steps(Padding::kValid, 3, 1, 1), 8);
  EXPECT_EQ(steps(Padding::kValid, 3, 3, 1), 3);
  EXPECT_EQ(steps(Padding::kValid, 3, 1, 4), 2);
  EXPECT_EQ(steps(Padding::kValid, 10, 1, 1), 1);
  EXPECT_EQ(steps(Padding::kSame, 4, 1, 1), 10);
  EXPECT_EQ(steps(Padding::kSame, 4, 3, 1), 4);
  EXPECT_EQ(steps(Padding::kCausal, 4, 1, 2), 10);
  EXPECT_EQ(steps(Padding::kCausal, 4, 3, 1), 4);
  // A kernel longer than the sequence is only refused where nothing is padded.
  EXPECT_EQ(steps(Padding::kSame, 15, 1, 1), 10);
}

TEST("an array of the wrong shape is refused, naming layer, array and both shapes") {
  ModelSpec spec = SpecBuilder::Floats({4}).Dense(4, 3, Activation::kRelu).Build();
  spec.layers[0].parameters[0].shape = {3, 4};
  const std::string refusal = RefusalOf(spec);
  for (const char* part : {"[4, 3]", "[3, 4]", "dense_0"}) EXPECT_TELLS(refusal, part);
  spec.layers[0].parameters.pop_back();
  EXPECT_TELLS(RefusalOf(spec), "Expected 2 arrays of weights but received 1");
}

TEST("layers that do not fit the one before are refused by name") {
  EXPECT_TELLS(RefusalOf(SpecBuilder::Floats({8}).Conv1d(1, 1, 1, Activation::kRelu).Build()), "conv1d_0");
  EXPECT_TELLS(RefusalOf(SpecBuilder::Floats({8}).Lstm(8, LstmOf(3, StandardCell())).Build()), "[steps, channels]");
  EXPECT_TELLS(RefusalOf(SpecBuilder::Floats({8}).Embedding(5, 5).Build()), "Expected token ids for embedding");
  EXPECT_TELLS(RefusalOf(SpecBuilder::Tokens(8).Dense(8, 3, Activation::kRelu).Build()), "Expected an embedding");
  EXPECT_TELLS(RefusalOf(SpecBuilder::Floats({4, 2}).MaxPooling1d(5, 1).Build()), "poolSize 5");
  EXPECT_TELLS(RefusalOf(SpecBuilder::Floats({4, 2}).Conv1d(2, 2, 5, Activation::kRelu).Build()), "kernelSize 5");
  EXPECT_TELLS(RefusalOf(SpecBuilder::Floats({4, 2}).Conv1d(2, 2, 3, Activation::kRelu, Padding::kValid, 1, 2).Build()),
               "dilationRate 2");
}

TEST("a mask passes dropout, lstm and dense, and is refused by what cannot carry it") {
  const auto masked = [] { return SpecBuilder::Tokens(6).Embedding(9, 4, true); };
  EXPECT_EQ(RefusalOf(masked()
                          .SpatialDropout1d(0.1f)
                          .Lstm(4, LstmOf(4, StandardCell(), true))
                          .Dense(4, 4, Activation::kTanh)
                          .Bidirectional(4, LstmOf(4, StandardCell()), Merge::kConcat)
                          .Build()),
            std::string());
  EXPECT_TELLS(RefusalOf(masked().Conv1d(4, 4, 3, Activation::kRelu).Build()), "maskZero");
  EXPECT_TELLS(RefusalOf(masked().GlobalMaxPooling1d().Build()), "maskZero");
  EXPECT_TELLS(RefusalOf(masked().Flatten().Build()), "maskZero");
  EXPECT_TELLS(RefusalOf(masked().Lstm(4, LstmOf(4, StandardCell(), true)).MaxPooling1d(2, 2).Build()), "maskZero");
}

TEST("absurd sizes are refused before anything is computed from them") {
  constexpr int64_t kHuge = (int64_t{1} << 31) - 1;
  for (const int64_t units : {int64_t{0}, int64_t{-1}, kHuge + 1, int64_t{1} << 62}) {
    ModelSpec spec = SpecBuilder::Floats({4}).Dense(4, 3, Activation::kRelu).Build();
    std::get<DenseSpec>(spec.layers[0].layer).units = units;
    EXPECT_TELLS(RefusalOf(spec), "for units");
  }
  EXPECT_TELLS(RefusalOf(SpecBuilder::Floats({kHuge}).Dense(kHuge, kHuge, Activation::kRelu).Build()), "2^46");
  EXPECT_TELLS(RefusalOf(SpecBuilder::Floats({kHuge, kHuge, kHuge}).Flatten().Build()), "2^46");
  EXPECT_TELLS(RefusalOf(SpecBuilder::Tokens(kHuge).Embedding(kHuge, kHuge).Build()), "2^46");
  EXPECT_TELLS(
      RefusalOf(SpecBuilder::Floats({kHuge, 4}).Conv1d(4, 2, 4, Activation::kRelu, Padding::kCausal, 1, kHuge).Build()),
      "");
  EXPECT_TELLS(RefusalOf(SpecBuilder::Floats({-4}).Flatten().Build()), "inputShape");
  EXPECT_TELLS(RefusalOf(SpecBuilder::Floats({}).Flatten().Build()), "inputShape");
  EXPECT_TELLS(RefusalOf(SpecBuilder::Floats({4}).Build()), "Expected 1 to 10000 layers");
}

TEST("rates outside [0, 1), cells without sense and names that occur twice are refused") {
  EXPECT_TELLS(RefusalOf(SpecBuilder::Floats({4}).Dropout(1.0f).Build()), "[0, 1)");
  EXPECT_TELLS(RefusalOf(SpecBuilder::Floats({4}).Dropout(std::nanf("")).Build()), "[0, 1)");
  LstmSpec lstm = LstmOf(3, StandardCell());
  lstm.recurrent_dropout = -0.5f;
  EXPECT_TELLS(RefusalOf(SpecBuilder::Floats({4, 2}).Lstm(2, lstm).Build()), "recurrentDropout");
  lstm = LstmOf(3, StandardCell());
  lstm.cell.blocks[kCandidate] = {};
  EXPECT_TELLS(RefusalOf(SpecBuilder::Floats({4, 2}).Lstm(2, lstm).Build()), "candidate");
  lstm.cell.blocks[kCandidate].constant = true;
  EXPECT_TELLS(RefusalOf(SpecBuilder::Floats({4, 2}).Lstm(2, lstm).Build()), "candidate");
  lstm = LstmOf(3, StandardCell());
  lstm.cell.gate_activation = Activation::kTanh;
  EXPECT_TELLS(RefusalOf(SpecBuilder::Floats({4, 2}).Lstm(2, lstm).Build()), "recurrentActivation");
  ModelSpec twice = SpecBuilder::Floats({4}).Dense(4, 4, Activation::kRelu).Dense(4, 4, Activation::kRelu).Build();
  twice.layers[1].name = twice.layers[0].name;
  EXPECT_TELLS(RefusalOf(twice), "occurs twice");
  twice.layers[1].name = "other";
  twice.layers[1].parameters[0].name = twice.layers[0].parameters[0].name;
  EXPECT_TELLS(RefusalOf(twice), "occurs twice");
}

TEST("a loss that the outputs cannot have is refused, and so are rules outside their range") {
  const Program sequences = Program::Compile(SpecBuilder::Floats({4, 2}).Dense(2, 3, Activation::kSoftmax).Build());
  EXPECT_THROWS(sequences.CheckTraining(TrainingOf(Loss::kSparseCategoricalCrossentropy)), Error);
  sequences.CheckTraining(TrainingOf(Loss::kMeanSquaredError));
  const Program rows = Program::Compile(SpecBuilder::Floats({2}).Dense(2, 3, Activation::kSoftmax).Build());
  TrainingSpec training = TrainingOf(Loss::kSparseCategoricalCrossentropy);
  rows.CheckTraining(training);
  training.top_k = 4;
  EXPECT_THROWS(rows.CheckTraining(training), Error);
  training.top_k = 0;
  training.optimizer.beta1 = 1.0f;
  EXPECT_THROWS(rows.CheckTraining(training), Error);
  training.optimizer.beta1 = 0.9f;
  training.optimizer.epsilon = std::nanf("");
  EXPECT_THROWS(rows.CheckTraining(training), Error);
}

}  // namespace
}  // namespace slim::test
