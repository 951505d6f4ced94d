#include "program/program.h"

#include <cmath>
#include <unordered_set>

#include "errors.h"
#include "program/nodes/chain.h"
#include "program/sizes.h"

namespace slim {
namespace {

constexpr size_t kMostLayers = 10'000;

[[noreturn]] void Reject(const std::string& text) { throw Error(ErrorCode::kInvalidModel, text); }

void CheckInput(const ModelSpec& spec) {
  const size_t rank = spec.input_shape.size();
  if (spec.token_input ? rank != 1 : rank < 1 || rank > 4) {
    Reject(std::string("Expected ") + (spec.token_input ? "[steps]" : "1 to 4 sizes") +
           " for inputShape but received " + ShapeText(spec.input_shape));
  }
  for (const int64_t size : spec.input_shape) CheckedSize(spec.layers[0].name, "a size of inputShape", size);
  CheckedElements(spec.layers[0].name, "inputShape", spec.input_shape);
}

void CheckLayers(const ModelSpec& spec) {
  if (spec.layers.empty() || spec.layers.size() > kMostLayers) {
    Reject("Expected 1 to " + std::to_string(kMostLayers) + " layers but received " +
           std::to_string(spec.layers.size()));
  }
  std::unordered_set<std::string> names;
  for (const LayerSpec& layer : spec.layers) {
    if (!names.insert(layer.name).second)
      Reject("Expected every layer to have a name of its own but " + layer.name + " occurs twice");
  }
}

void CheckRange(bool sound, const char* expected, const char* name, double value) {
  if (sound) return;
  throw Error(ErrorCode::kInvalidArgument,
              std::string("Expected ") + expected + " for " + name + " but received " + std::to_string(value));
}

void CheckRule(const OptimizerRule& rule) {
  const auto fraction = [](const char* name, float value) {
    CheckRange(value >= 0 && value < 1, "a number in [0, 1)", name, value);
  };
  const auto magnitude = [](const char* name, float value) {
    CheckRange(value >= 0 && std::isfinite(value), "a finite number that is not negative", name, value);
  };
  fraction("rho", rule.rho);
  fraction("beta1", rule.beta1);
  fraction("beta2", rule.beta2);
  CheckRange(rule.momentum >= 0 && rule.momentum <= 1, "a number in [0, 1]", "momentum", rule.momentum);
  magnitude("epsilon", rule.epsilon);
  magnitude("weightDecay", rule.weight_decay);
  magnitude("clipNorm", rule.clip_norm);
  magnitude("globalClipNorm", rule.global_clip_norm);
  magnitude("clipValue", rule.clip_value);
}

}  // namespace

Program Program::Compile(ModelSpec spec) {
  CheckLayers(spec);
  CheckInput(spec);
  Program program;
  program.spec_ = std::move(spec);
  program.layout_ = ParameterLayout(program.spec_.layers);
  const Chain chain = MakeChain(program.spec_, program.layout_, {});
  program.input_ = chain.nodes.front()->input();
  program.output_ = chain.output;
  if (program.spec_.token_input) {
    program.vocabulary_ = std::get<EmbeddingSpec>(program.spec_.layers[0].layer).vocabulary;
  }
  return program;
}

void Program::CheckDevice(Backend& backend) const {
  ChainSetting training;
  training.dropout = training.backward = true;
  for (const std::unique_ptr<Node>& node : MakeChain(spec_, layout_, training).nodes) node->CheckDevice(backend);
}

void Program::CheckTraining(const TrainingSpec& training) const {
  CheckRule(training.optimizer);
  const bool categorical =
      training.loss == Loss::kSparseCategoricalCrossentropy || training.loss == Loss::kCategoricalCrossentropy;
  if (categorical && output_.shape.size() != 1) {
    Reject("Expected outputs of shape [classes] for a categorical loss but the model gives " +
           ShapeText(output_.shape));
  }
  if (output_.masked) Reject("Expected outputs without a mask for a loss but the model's embedding has maskZero");
  const int64_t outputs = output_.Elements();
  CheckRange(training.top_k >= 0 && training.top_k <= outputs, "an integer from 0 to the number of outputs", "topK",
             static_cast<double>(training.top_k));
}

}  // namespace slim
