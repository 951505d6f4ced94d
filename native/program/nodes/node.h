#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend.h"
#include "program/memory_plan.h"
#include "program/parameter_layout.h"

/// A layer of a model in one execution.
///
/// A node is made from its layer's specification and the signature of what comes in; its constructor checks both and
/// infers what goes out, and needs no device. CheckDevice asks the device once, when a model is made of them. Then the
/// execution walks the nodes: PlanForward in order, PlanBackward from the last, which tell the plan what memory is alive
/// when; Bind gives the addresses; Forward and Backward enqueue the device's operations and nothing else.
namespace slim {

/// What a value between two layers is, without the batch.
struct Signature {
  bool tokens = false;         // int32 ids [T]; otherwise float32
  std::vector<int64_t> shape;  // [T, m] for sequences, [K] for rows
  bool masked = false;         // a mask [T] goes with it

  int64_t Elements() const {
    int64_t elements = 1;
    for (const int64_t size : shape) elements *= size;
    return elements;
  }
};

/// An array of weights as a node uses it.
struct ParameterRef {
  int64_t offset = -1;  // in floats; -1: the layer has no such array
  bool trainable = false;

  bool exists() const { return offset >= 0; }
};

/// Rows of an embedding's table that were not written out: the next layer reads tokens and table itself.
struct EmbeddedRows {
  BufferId tokens;
  ParameterRef table;
  int64_t vocabulary;
};

/// A value between two layers as the plan knows it.
struct Value {
  BufferId data = kNoBuffer;
  std::optional<EmbeddedRows> embedded;  // instead of data
  BufferId mask = kNoBuffer;             // bytes [B, T] where the signature is masked
  /// Nobody but the next node reads it, so that node may write over it.
  bool overwritable = false;
};

/// What an execution asks of a node.
struct NodeSetting {
  int64_t batch = 1;            // samples at the most
  bool dropout = false;         // dropout is active
  bool backward = false;        // a backward pass of this node follows
  bool input_gradient = false;  // ... and gives the gradient of what came in
};

/// Where the planned blocks and the weights of a model lie.
class Addresses {
 public:
  Addresses(const MemoryPlan& plan, void* arena, float* parameters, float* gradients)
      : plan_(plan), arena_(static_cast<std::byte*>(arena)), parameters_(parameters), gradients_(gradients) {}

  template <class T = float>
  T* Of(BufferId buffer) const {
    return buffer == kNoBuffer ? nullptr : reinterpret_cast<T*>(arena_ + plan_.OffsetOf(buffer));
  }
  const float* Values(const ParameterRef& parameter) const {
    return parameter.exists() ? parameters_ + parameter.offset : nullptr;
  }
  /// Null for what is frozen.
  float* Gradient(const ParameterRef& parameter) const {
    return parameter.exists() && parameter.trainable ? gradients_ + parameter.offset : nullptr;
  }

 private:
  const MemoryPlan& plan_;
  std::byte* arena_;
  float* parameters_;
  float* gradients_;
};

class Node {
 public:
  virtual ~Node() = default;

  const Signature& input() const { return input_; }
  const Signature& output() const { return output_; }

  /// Throws Error (kInvalidModel, kDevice), naming the layer, where the device cannot compute it as it asks to be.
  virtual void CheckDevice(Backend&) const {}

  /// Adds the forward pass at `time` to the plan: what it writes, and how long it needs what it reads.
  virtual Value PlanForward(Backend& backend, MemoryPlan& plan, int time, const Value& x) = 0;
  /// Adds the backward pass, given the gradient of the output; returns the gradient of the input, or kNoBuffer where it
  /// is not wanted or goes to an embedding's table. Called only where the setting asks for a backward pass.
  virtual BufferId PlanBackward(Backend& backend, MemoryPlan& plan, int time, BufferId dy) = 0;
  virtual void Bind(const Addresses& addresses) = 0;

  virtual void Forward(Backend& backend, int64_t batch) = 0;
  virtual void Backward(Backend& backend, int64_t batch) = 0;

 protected:
  Node(const Signature& input, const NodeSetting& setting) : input_(input), setting_(setting) {}

  /// Bytes of a batch of the signature's elements.
  size_t BatchBytes(const Signature& signature) const {
    return static_cast<size_t>(setting_.batch * signature.Elements()) * sizeof(float);
  }

  Signature input_;
  Signature output_;
  NodeSetting setting_;
};

/// The layer a node is made from: its name for errors, its arrays in the layout.
struct LayerContext {
  const LayerSpec& spec;
  const Parameter* parameters;  // spec.parameters.size() of them
  uint32_t position;            // in the model: random streams are numbered by it
};

/// An array that a kind of layer has, by its name without the layer's.
struct ExpectedArray {
  std::string name;
  std::vector<int64_t> shape;
};

/// The layer's arrays, which must be those expected, in order and with their shapes; otherwise throws Error
/// (kInvalidModel).
std::vector<ParameterRef> CheckArrays(const LayerContext& layer, const std::vector<ExpectedArray>& expected);

/// Throws Error (kInvalidModel) unless the input is float32 [steps, channels].
void ExpectSequence(const LayerContext& layer, const char* kind, const Signature& input);
/// ... unless the input is float32 (of any rank).
void ExpectFloats(const LayerContext& layer, const char* kind, const Signature& input);
/// ... unless no mask comes with the input.
void ExpectNoMask(const LayerContext& layer, const char* kind, const Signature& input);

/// Checks that a batch of `elements` a sample can be counted; throws Error (kInvalidModel).
void CheckBatch(const LayerContext& layer, const char* what, int64_t batch, int64_t elements);

}  // namespace slim
