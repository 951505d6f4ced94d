#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "backend.h"

/// The specification of a model: what the TypeScript layers made of their options, as plain data. `addon/` reads it
/// from JavaScript, `Program` compiles it. Nothing in it is trusted: Program::Compile checks every size again.
namespace slim {

enum class InitializerKind : uint8_t {
  kZeros,
  kOnes,
  kConstant,
  kUniform,
  kNormal,
  kGlorotUniform,
  kGlorotNormal,
  kHeUniform,
  kHeNormal,
  kOrthogonal,
  kLstmBias
};

/// The columns of a draw from `column` on.
struct DrawnBlock {
  int64_t draw = 0;  // which draw of the array's random stream
  int64_t column = 0;
};

struct Initializer {
  InitializerKind kind = InitializerKind::kZeros;
  float value = 0.0f;  // constant
  float low = -0.05f;  // uniform
  float high = 0.05f;
  float mean = 0.0f;  // normal
  float stddev = 0.05f;
  float gain = 1.0f;   // orthogonal
  int64_t fan_in = 0;  // glorot and he: 0 takes them from the shape
  int64_t fan_out = 0;
  int64_t ones_from = 0;  // lstm bias: elements [ones_from, ones_to) are 1, the rest 0
  int64_t ones_to = 0;
  /// Where this is not empty, the array is not one draw over its own shape: a matrix [rows, w * blocks] whose w columns
  /// from b * w on come out of a draw [rows, draw_columns] as blocks[b] says.
  std::vector<DrawnBlock> blocks;
  int64_t draw_columns = 0;
  bool blocks_are_rows = false;  // the array is [blocks, rows]: each block is one column, which lies as a row
  int64_t draws_of_earlier = 0;  // the draws are those of the array so many places before this one
};

/// An array of weights, in the order in which its layer's kind names them below.
struct ParameterSpec {
  std::string name;  // "<layer>/<array>", "<layer>/forward/<array>"
  std::vector<int64_t> shape;
  Initializer initializer;
  bool trainable = true;
};

struct EmbeddingSpec {  // parameters: embeddings [inputDim, outputDim]
  int64_t vocabulary = 0;
  int64_t width = 0;
  bool mask_zero = false;
};

struct Conv1dSpec {  // parameters: kernel [taps, C, F], bias [F] if use_bias
  int64_t filters = 0;
  int64_t taps = 0;
  int64_t stride = 1;
  int64_t dilation = 1;
  enum class Padding : uint8_t { kValid, kSame, kCausal } padding = Padding::kValid;
  Activation activation = Activation::kLinear;
  bool use_bias = true;
};

struct MaxPooling1dSpec {
  int64_t pool = 2;
  int64_t stride = 2;
  enum class Padding : uint8_t { kValid, kSame } padding = Padding::kValid;
};

struct GlobalMaxPooling1dSpec {
  bool keep_dims = false;
};

struct DropoutSpec {
  float rate = 0.0f;
};

struct SpatialDropout1dSpec {
  float rate = 0.0f;
};

struct LstmSpec {  // parameters: kernel, recurrent_kernel, recurrent_diagonal, bias: those the cell has
  int64_t units = 0;
  Cell cell;
  float input_dropout = 0.0f;
  float recurrent_dropout = 0.0f;
  bool return_sequences = false;
  bool go_backwards = false;
  Implementation implementation = Implementation::kAuto;
};

struct BidirectionalSpec {  // parameters: those of `forward` named <layer>/forward/..., then of `backward`
  LstmSpec forward;
  LstmSpec backward;  // go_backwards is the opposite of forward's; the rest that sets shapes is equal
  Merge merge = Merge::kConcat;
};

struct DenseSpec {  // parameters: kernel [K, units], bias [units] if use_bias
  int64_t units = 0;
  Activation activation = Activation::kLinear;
  bool use_bias = true;
};

struct ActivationSpec {
  Activation activation = Activation::kLinear;
};

struct FlattenSpec {};

struct LayerSpec {
  std::string name;
  std::variant<EmbeddingSpec, Conv1dSpec, MaxPooling1dSpec, GlobalMaxPooling1dSpec, DropoutSpec, SpatialDropout1dSpec,
               LstmSpec, BidirectionalSpec, DenseSpec, ActivationSpec, FlattenSpec>
      layer;
  std::vector<ParameterSpec> parameters;
};

struct ModelSpec {
  bool token_input = false;          // int32 ids [B, T]; otherwise float32 [B, ...input_shape]
  std::vector<int64_t> input_shape;  // without the batch
  std::vector<LayerSpec> layers;
};

/// What `compile` adds.
struct TrainingSpec {
  OptimizerRule optimizer;
  Loss loss = Loss::kMeanSquaredError;
  int64_t top_k = 0;
};

}  // namespace slim
