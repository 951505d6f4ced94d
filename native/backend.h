#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

/// The operations a device offers. `program/` is written against this file alone; `cpu/` and `cuda/` implement it.
///
/// Memory. Pointers to floats, token ids and caches are addresses in the device's memory: whoever calls passes them on
/// and does arithmetic on them, and never reads through them. All arrays are row-major and dense unless a stride is
/// named. Outputs do not overlap inputs unless the operation says "may be in place".
///
/// Order. Operations are enqueued and happen in the order of the calls; a call may return before its work is done.
/// `Download` and `Synchronize` wait. Nothing is allocated by an operation: what it needs beyond its operands it is
/// given as `cache` (written by the forward pass of a training step, read by its backward pass, untouched in between)
/// and `scratch` (free between two operations). The `...CacheBytes` and `...ScratchBytes` tell the sizes.
///
/// Determinism. The same operands give the same bits whatever the number of threads: sums have a fixed order.
///
/// Gradients of weights are overwritten, not accumulated. A null pointer for a gradient means that it is not wanted.
namespace slim {

/// What the products of a device keep of their float32 operands: all 24 bits, 11 or 8. Sums, states and weights are
/// float32 in any case. A device may keep more than it is asked for.
enum class Precision : uint8_t { kFloat32, kTf32, kBfloat16 };

inline const char* NameOf(Precision precision) {
  switch (precision) {
    case Precision::kFloat32:
      return "float32";
    case Precision::kTf32:
      return "tf32";
    case Precision::kBfloat16:
      return "bfloat16";
  }
  return "";
}

enum class Activation : uint8_t { kLinear, kRelu, kTanh, kSigmoid, kHardSigmoid, kSoftmax };

/// The values that change from one step to the next. They are read when the work happens, not when it is enqueued, so
/// that a recorded step can be replayed with others.
struct StepValues {
  uint64_t seed = 0;      // key of the random streams
  uint32_t step = 0;      // training iterations done before this one: `step` of the random streams
  int64_t first_row = 0;  // where the batch begins in the order of rows
  float learning_rate = 0.0f;
};

/// Rows that a layer over sequences reads: either given, or named by token ids in the table of an embedding. In the
/// second form the device need not write the rows out: it may compute what depends on the token alone once for each
/// distinct token, and what padding alone decides once for the batch.
struct SequenceInput {
  const float* x = nullptr;         // [B, T, m], or null: then
  const int32_t* tokens = nullptr;  // [B, T], each in [0, vocabulary)
  const float* table = nullptr;     // [vocabulary, m]
  int64_t vocabulary = 0;
};

/// Where the gradient of a SequenceInput goes; both null where it is not wanted.
struct SequenceGradient {
  float* dx = nullptr;      // [B, T, m]
  float* dtable = nullptr;  // [vocabulary, m]: sums by token
  bool accumulate = false;  // add to what is there instead of overwriting (the second direction of a pair)
};

// --- embedding -------------------------------------------------------------------------------------------------------

struct EmbeddingShape {
  int64_t steps;       // T
  int64_t vocabulary;  // rows of the table
  int64_t width;       // m
};

// --- conv1d ----------------------------------------------------------------------------------------------------------

/// y[b, t, f] = act(bias[f] + sum over tap, channel of x[b, t * stride + tap * dilation - pad_left, channel] *
/// kernel[tap, channel, f]), where rows outside [0, steps) are zero.
struct Conv1dShape {
  int64_t steps;     // T in
  int64_t channels;  // C
  int64_t filters;   // F
  int64_t taps;      // kernel size
  int64_t stride;
  int64_t dilation;
  int64_t pad_left;       // rows of zeros before the sequence; those after it follow from out_steps
  int64_t out_steps;      // T out
  Activation activation;  // any but softmax
};

struct Conv1dWeights {
  const float* kernel;  // [taps, C, F]
  const float* bias;    // [F] or null
};

struct Conv1dGradients {
  float* kernel;  // [taps, C, F] or null
  float* bias;    // [F] or null
};

// --- pooling ---------------------------------------------------------------------------------------------------------

/// y[b, t, c] = max of x[b, t * stride - pad_left + k, c] for 0 <= k < pool, rows outside the sequence left out. Of
/// equal values the first wins. globalMaxPooling1d is pool = steps, out_steps = 1.
struct MaxPoolShape {
  int64_t steps;
  int64_t channels;
  int64_t pool;
  int64_t stride;
  int64_t pad_left;
  int64_t out_steps;
};

// --- dense -----------------------------------------------------------------------------------------------------------

/// y = act(x @ kernel + bias) over `rows_per_sample` rows of each of B samples.
struct DenseShape {
  int64_t rows_per_sample;
  int64_t inputs;         // K
  int64_t units;          // N
  Activation activation;  // any but softmax
};

// --- the recurrence --------------------------------------------------------------------------------------------------

/// What of the previous state a block sees: nothing, U h, or u (.) h.
enum class RecurrentTerm : uint8_t { kNone, kFull, kDiagonal };

/// One of the four blocks: the terms of its pre-activation, or a constant that stands for the gate's value (it does
/// not pass through the gate's activation).
struct BlockTerms {
  bool input = false;
  RecurrentTerm recurrent = RecurrentTerm::kNone;
  bool bias = false;
  bool constant = false;
  float value = 0.0f;
};

inline constexpr int kBlocks = 4;
enum Block : int { kInputGate = 0, kForgetGate = 1, kCandidate = 2, kOutputGate = 3 };

/// The cell, of units n:
///   c~ = g(a_c),  c_t = f (.) c_{t-1} + i (.) c~,  h_t = o (.) g(c_t),  gates i, f, o = s(a) or constants,
/// each pre-activation a = x W + h_{t-1} U (or h_{t-1} (.) u) + b with the block's terms alone; h_0 = c_0 = 0.
/// Packed arrays hold, in the order i, f, c, o, only the blocks that have the term.
struct Cell {
  BlockTerms blocks[kBlocks];
  Activation activation = Activation::kTanh;          // g; softmax is over the hidden axis
  Activation gate_activation = Activation::kSigmoid;  // s: sigmoid or hardSigmoid

  int InputBlocks() const {
    return Count([](const BlockTerms& b) { return b.input; });
  }
  int FullBlocks() const {
    return Count([](const BlockTerms& b) { return b.recurrent == RecurrentTerm::kFull; });
  }
  int DiagonalBlocks() const {
    return Count([](const BlockTerms& b) { return b.recurrent == RecurrentTerm::kDiagonal; });
  }
  int BiasBlocks() const {
    return Count([](const BlockTerms& b) { return b.bias; });
  }

 private:
  template <class Predicate>
  int Count(Predicate has) const {
    int count = 0;
    for (const BlockTerms& block : blocks) count += !block.constant && has(block);
    return count;
  }
};

/// Whose recurrence computes a layer: the one that is known to be faster, the device's own, or cuDNN's LSTM.
enum class Implementation : uint8_t { kAuto, kSlim, kCudnn };

struct RecurrenceShape {
  Cell cell;
  int64_t steps;         // T
  int64_t inputs;        // m
  int64_t units;         // n
  bool reverse = false;  // walk from the last step to the first
  bool return_sequences = false;
  /// With `reverse` and `return_sequences`: h of time t is written to row t, as bidirectional wants it; otherwise to
  /// the row of its turn, as Keras' go_backwards does.
  bool align_output = false;
  float input_dropout = 0.0f;      // rates in [0, 1); a mask for each sequence and block, constant over time;
  float recurrent_dropout = 0.0f;  // element (b, block, j) is word (b * 4 + block) * width + j of the stream
  uint32_t input_stream = 0;
  uint32_t recurrent_stream = 0;
  Implementation implementation = Implementation::kAuto;
};

struct RecurrenceWeights {
  const float* kernel;              // [m, InputBlocks * n] or null
  const float* recurrent_kernel;    // [n, FullBlocks * n] or null
  const float* recurrent_diagonal;  // [DiagonalBlocks, n] or null
  const float* bias;                // [BiasBlocks * n] or null
};

struct RecurrenceGradients {
  float* kernel;
  float* recurrent_kernel;
  float* recurrent_diagonal;
  float* bias;
};

/// The states that leave the layer. Rows are `stride` floats apart, so that both directions of a pair can write into
/// one array.
struct StateOutput {
  float* h;  // [B, T, n] with return_sequences, [B, n] (the last state) without; row r begins at h + r * stride
  int64_t stride;
};
struct StateGradient {
  const float* dh;  // as StateOutput.h
  int64_t stride;
};

// --- merging, losses, metrics ----------------------------------------------------------------------------------------

enum class Merge : uint8_t { kConcat, kSum, kMul, kAve };

enum class Loss : uint8_t {
  kSparseCategoricalCrossentropy,
  kCategoricalCrossentropy,
  kBinaryCrossentropy,
  kMeanSquaredError,
};

/// What the outputs are that a loss is given.
enum class OutputForm : uint8_t {
  kLogits,         // before softmax (the categorical losses) or before sigmoid (the binary one); fused with the loss
  kProbabilities,  // clipped to [1e-7, 1 - 1e-7]; the categorical losses divide by their sum first. As in Keras
  kValues,         // mean squared error
};

struct LossShape {
  Loss loss;
  OutputForm form;
  int64_t outputs;    // C
  int64_t top_k = 0;  // count a sample as found where its class is among the k largest; 0: not asked for

  /// Classes that samples are told apart into: one dense output, as of a sigmoid, stands for two.
  int64_t Classes() const { return outputs == 1 && loss != Loss::kSparseCategoricalCrossentropy ? 2 : outputs; }
};

/// Sums over the samples seen since the last reset. On the device.
struct MetricSums {
  double loss;  // sum of weighted sample losses
  double samples;
  double correct;  // accuracy: argmax, or for the binary loss the mean over outputs of (y > 0.5) == target
  double in_top_k;
};

struct LossOperands {
  const float* outputs;        // [B, C]
  const void* targets;         // int32 [B] for the sparse loss, else float32 [B, C]
  const float* class_weights;  // [Classes()] or null: factor of a sample's loss by its class
  float* doutputs;             // [B, C] or null: gradient of the batch's mean loss, of logits where form is kLogits
  MetricSums* sums;            // added to
};

// --- optimizers ------------------------------------------------------------------------------------------------------

enum class OptimizerKind : uint8_t { kSgd, kRmsprop, kAdam, kAdamw };

/// Keras 3's update rules and names. Arrays of state, each as long as the gradients, lie one after the other.
struct OptimizerRule {
  OptimizerKind kind = OptimizerKind::kSgd;
  float momentum = 0.0f;  // sgd, rmsprop
  bool nesterov = false;  // sgd
  float rho = 0.9f;       // rmsprop
  bool centered = false;  // rmsprop
  float beta1 = 0.9f;     // adam, adamw
  float beta2 = 0.999f;
  bool amsgrad = false;
  float epsilon = 1e-7f;
  float weight_decay = 0.0f;      // adamw; decoupled
  float clip_norm = 0.0f;         // each array's norm at the most; 0: off
  float global_clip_norm = 0.0f;  // the norm of all together at the most; 0: off
  float clip_value = 0.0f;        // 0: off

  int StateArrays() const {
    switch (kind) {
      case OptimizerKind::kSgd:
        return momentum > 0 ? 1 : 0;
      case OptimizerKind::kRmsprop:
        return 1 + (momentum > 0) + centered;
      case OptimizerKind::kAdam:
      case OptimizerKind::kAdamw:
        return 2 + amsgrad;
    }
    return 0;
  }
};

/// A parameter array's place in the contiguous buffer, in floats.
struct Segment {
  int64_t offset;
  int64_t size;
};

// --- the device ------------------------------------------------------------------------------------------------------

/// A way from the host to the device beside the operations: what is sent travels while the device works on something
/// else. The device holds what was sent last; it takes its place once the operations that receive what was there, as
/// far as they were enqueued when it was sent, are done.
class HostFeed {
 public:
  virtual ~HostFeed() = default;

  /// Memory of the host, of the feed's size and unspecified content, to write into what is sent next. Waits until what
  /// was sent from there before has left.
  virtual void* Next() = 0;
  /// Sends the first `bytes` of what Next gave, which must not be touched again, and returns at once.
  virtual void Send(size_t bytes) = 0;
  /// Enqueues an operation, never in a recorded step: destination = `bytes` of what was sent last, from `offset` on.
  virtual void Receive(void* destination, size_t offset, size_t bytes) = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;

  /// Such as "cpu (AVX-512, 2 threads)".
  virtual std::string Description() const = 0;

  /// True where the device's memory is the host's: then an operation may be given the address of host memory, and data
  /// that lie there already need no copy.
  virtual bool ReadsHostMemory() const { return false; }

  // Memory. `Allocate` returns 256-byte aligned memory of unspecified content and throws OutOfMemory.
  virtual void* Allocate(size_t bytes) = 0;
  virtual void Free(void* memory) noexcept = 0;
  virtual void Upload(void* destination, const void* host, size_t bytes) = 0;  // `host` may be reused on return
  virtual void Download(void* host, const void* source, size_t bytes) = 0;     // waits
  virtual void Zero(void* memory, size_t bytes) = 0;
  virtual void Copy(void* destination, const void* source, size_t bytes) = 0;
  virtual void Synchronize() = 0;

  /// Bytes that Allocate may still give without taking what the device itself needs as it works; another process may be
  /// faster. Not asked of a device that reads the host's memory.
  virtual size_t FreeBytes() = 0;
  /// A feed for up to `bytes` at a time, which ends before the device. Throws Error (kOutOfMemory, kOutOfHostMemory).
  virtual std::unique_ptr<HostFeed> OpenFeed(size_t bytes) = 0;

  /// Sets the values that operations enqueued from now on see.
  virtual void SetStep(const StepValues& values) = 0;
  /// Enqueues the operations that `enqueue` calls. A device may record them when `key` comes the second time, and
  /// replay the record from then on: the caller promises that the same key means the same operations on the same
  /// addresses.
  virtual void Run(uint64_t key, const std::function<void()>& enqueue) = 0;
  /// Forgets what was recorded (addresses have changed).
  virtual void ForgetRecorded() = 0;

  /// destination[i] = source row order[first_row + i] for 0 <= i < rows; first_row is the step's.
  virtual void GatherRows(const void* source, size_t row_bytes, const int32_t* order, int64_t rows,
                          void* destination) = 0;
  /// mask[b, t] = tokens[b, t] != 0, as bytes.
  virtual void TokenMask(const int32_t* tokens, int64_t count, uint8_t* mask) = 0;

  // Every operation below works on the first `batch` samples; sizes are asked with the largest batch.

  virtual void EmbeddingForward(const EmbeddingShape& shape, int64_t batch, const int32_t* tokens, const float* table,
                                float* y) = 0;  // y [B, T, m]
  virtual size_t EmbeddingScratchBytes(const EmbeddingShape& shape, int64_t batch) = 0;
  virtual void EmbeddingBackward(const EmbeddingShape& shape, int64_t batch, const int32_t* tokens, const float* dy,
                                 float* dtable, void* scratch) = 0;

  virtual size_t Conv1dScratchBytes(const Conv1dShape& shape, int64_t batch, bool embedded, bool training) = 0;
  virtual void Conv1dForward(const Conv1dShape& shape, int64_t batch, const SequenceInput& input,
                             const Conv1dWeights& weights, float* y, void* scratch) = 0;  // y [B, T out, F]
  /// `dy` is destroyed. `y` is what the forward pass wrote; it is not read where the activation is linear, nor are
  /// written rows of the input where the kernel's gradient is not wanted: their memory may be in use again by then.
  /// `dinput` is overwritten: directions that share an input are recurrences alone.
  virtual void Conv1dBackward(const Conv1dShape& shape, int64_t batch, const SequenceInput& input,
                              const Conv1dWeights& weights, const float* y, float* dy, const Conv1dGradients& gradients,
                              const SequenceGradient& dinput, void* scratch) = 0;

  /// `winners` [B, T out, C] gets the row each maximum came from; null outside training.
  virtual void MaxPoolForward(const MaxPoolShape& shape, int64_t batch, const float* x, float* y, int32_t* winners) = 0;
  virtual void MaxPoolBackward(const MaxPoolShape& shape, int64_t batch, const int32_t* winners, const float* dy,
                               float* dx) = 0;

  /// y = x * mask / (1 - rate); element i of the batch's flat array has word i of the stream. May be in place. The
  /// backward pass is the same operation on the gradient.
  virtual void Dropout(float rate, uint32_t stream, int64_t count, const float* x, float* y) = 0;
  /// The same with one mask for all steps: element (b, c) has word b * channels + c. x [B, steps, channels].
  virtual void SpatialDropout(float rate, uint32_t stream, int64_t batch, int64_t steps, int64_t channels,
                              const float* x, float* y) = 0;

  virtual size_t DenseScratchBytes(const DenseShape& shape, int64_t batch, bool training) = 0;
  virtual void DenseForward(const DenseShape& shape, int64_t batch, const float* x, const float* kernel,
                            const float* bias, float* y, void* scratch) = 0;
  /// `dy` is destroyed; gradients may be null one by one. `y` is not read where the activation is linear, nor `x` where
  /// dkernel is null: their memory may be in use again by then.
  virtual void DenseBackward(const DenseShape& shape, int64_t batch, const float* x, const float* kernel,
                             const float* y, float* dy, float* dkernel, float* dbias, float* dx, void* scratch) = 0;

  /// `rows` rows of `width` (softmax is over the row). Both may be in place.
  virtual void ActivationForward(Activation activation, int64_t rows, int64_t width, const float* x, float* y) = 0;
  virtual void ActivationBackward(Activation activation, int64_t rows, int64_t width, const float* y, const float* dy,
                                  float* dx) = 0;

  /// Throws Error where the shape's implementation cannot serve: kInvalidModel where no device could, kDevice where
  /// this one cannot. `masked`: a mask may come with the input. Asked before anything else about the shape: a library
  /// may have to be opened first.
  virtual void CheckRecurrence(const RecurrenceShape& shape, bool masked) = 0;
  virtual size_t RecurrenceCacheBytes(const RecurrenceShape& shape, int64_t batch, bool embedded) = 0;
  virtual size_t RecurrenceScratchBytes(const RecurrenceShape& shape, int64_t batch, bool embedded, bool training) = 0;
  /// `mask` [B, T] bytes or null: where it is 0 the state is copied from the step before (and so is the output).
  /// `cache` null: inference, no dropout, nothing kept. Otherwise training: masks are applied where the rates are not
  /// 0.
  virtual void RecurrenceForward(const RecurrenceShape& shape, int64_t batch, const SequenceInput& input,
                                 const uint8_t* mask, const RecurrenceWeights& weights, const StateOutput& output,
                                 void* cache, void* scratch) = 0;
  virtual void RecurrenceBackward(const RecurrenceShape& shape, int64_t batch, const SequenceInput& input,
                                  const uint8_t* mask, const RecurrenceWeights& weights, const StateGradient& doutput,
                                  void* cache, const RecurrenceGradients& gradients, const SequenceGradient& dinput,
                                  void* scratch) = 0;

  /// sum, mul, ave of two arrays; concat is done by strides.
  virtual void MergeForward(Merge merge, int64_t count, const float* a, const float* b, float* y) = 0;
  /// da and db may be dy's memory one each, not both.
  virtual void MergeBackward(Merge merge, int64_t count, const float* a, const float* b, const float* dy, float* da,
                             float* db) = 0;

  virtual void ComputeLoss(const LossShape& shape, int64_t batch, const LossOperands& operands) = 0;

  /// One step over the contiguous buffers. `state` holds rule.StateArrays() arrays of `count`; `step` of the step's
  /// values + 1 is Keras' iteration for bias correction. Segments (on the device) are the arrays clip_norm works on;
  /// `scratch` holds OptimizerScratchBytes.
  virtual size_t OptimizerScratchBytes(const OptimizerRule& rule, int64_t count, int64_t segments) = 0;
  virtual void Update(const OptimizerRule& rule, int64_t count, float* parameters, float* gradients, float* state,
                      const Segment* segments, int64_t segment_count, void* scratch) = 0;
};

}  // namespace slim
