#include "cuda/cudnn.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <compare>
#include <map>
#include <string>
#include <vector>

#include "cuda/cudnn_functions.h"
#include "cuda/cudnn_weights.h"
#include "cuda/placement.h"
#include "errors.h"

namespace slim::cuda {
namespace {

using dnn::Check;
using dnn::Dnn;
using dnn::Refused;

void CheckCopy(cudaError_t status) { cuda::Check(status, "copy cuDNN's operands"); }

struct Key {
  int64_t batch, steps, inputs, units;
  bool training;

  auto operator<=>(const Key&) const = default;

  /// Whether it is of the same layer and mode, and its batch as large or larger.
  bool Covers(const Key& other) const {
    return batch >= other.batch && steps == other.steps && inputs == other.inputs && units == other.units &&
           training == other.training;
  }
};

/// A layer as cuDNN is told of it.
struct Plan {
  dnn::Rnn rnn;
  dnn::Rows x, y;
  dnn::Tensor state;           // h and c of one step
  dnn::Tensor matrix, vector;  // which cudnnGetRNNWeightParams fills
  size_t weight_bytes = 0, work_bytes = 0, reserve_bytes = 0;
};

/// The lengths of sequences on the device: since version 8.9.1 cuDNN takes them from what describes the rows.
constexpr const int32_t* kLengthsOfRows = nullptr;

/// What the backward pass reads again; in inference it lies in the scratch memory.
struct Kept {
  Kept(const Key& key, const Plan& plan, Placement& placement)
      : weights(placement.TakeBytes(plan.weight_bytes)),
        reserve(placement.TakeBytes(plan.reserve_bytes)),
        y(placement.Take<float>(key.batch * key.steps * key.units)) {}

  void* weights;  // in cuDNN's order
  void* reserve;
  float* y;  // [B, T, n]
};

struct ForwardScratch {
  ForwardScratch(const Key& key, const Plan& plan, void* cache, Placement& placement)
      : work(placement.TakeBytes(plan.work_bytes)),
        cached(cache),
        kept(key, plan, cache == nullptr ? placement : cached) {}

  void* work;
  Placement cached;
  Kept kept;
};

struct BackwardScratch {
  BackwardScratch(const Key& key, const Plan& plan, Placement& placement)
      : work(placement.TakeBytes(plan.work_bytes)),
        dweights(placement.TakeBytes(plan.weight_bytes)),
        dy(placement.Take<float>(key.batch * key.steps * key.units)) {}

  void* work;
  void* dweights;
  float* dy;  // [B, T, n]
};

/// The matrix and the bias of a block in cuDNN's weight space: its products of x are 0 to 3, those of h 4 to 7, both in
/// our order i, f, c, o.
struct Place {
  float* matrix;  // [n, m] or [n, n]
  float* bias;    // [n]
};

Key KeyOf(const RecurrenceShape& shape, int64_t batch, bool training) {
  return {batch, shape.steps, shape.inputs, shape.units, training};
}

/// The persistent kernels for small layers hold both passes up to 128 units, and the forward pass alone up to 192.
cudnnRNNAlgo_t AlgorithmFor(const Key& key) {
  return key.units <= (key.training ? 128 : 192) ? CUDNN_RNN_ALGO_PERSIST_STATIC_SMALL_H : CUDNN_RNN_ALGO_STANDARD;
}

class CudnnLayers final : public CudnnLstm {
 public:
  explicit CudnnLayers(Precision precision)
      : math_(precision == Precision::kFloat32 ? CUDNN_FMA_MATH : CUDNN_DEFAULT_MATH) {
    Check(Dnn().set_dropout(no_dropout_, handle_, 0.0f, nullptr, 0, 0), "cudnnSetDropoutDescriptor");
  }

  size_t CacheBytes(const RecurrenceShape& shape, int64_t batch) override {
    return Ask(KeyOf(shape, batch, true)).cache;
  }

  size_t ScratchBytes(const RecurrenceShape& shape, int64_t batch, bool training) override {
    return Ask(KeyOf(shape, batch, training)).scratch;
  }

  bool Fits(const RecurrenceShape& shape, int64_t batch, bool training) override {
    const Key key = KeyOf(shape, batch, training);
    const Bytes needed = BytesOf(key);
    return std::all_of(asked_.begin(), asked_.end(), [&](const auto& each) {
      const auto& [asked, bytes] = each;
      return !asked.Covers(key) || (needed.cache <= bytes.cache && needed.scratch <= bytes.scratch);
    });
  }

  void Forward(const RecurrenceShape& shape, int64_t batch, const float* x, const RecurrenceWeights& weights,
               const StateOutput& output, void* cache, void* scratch, CUstream_st* stream) override {
    const bool training = cache != nullptr;
    const Key key = KeyOf(shape, batch, training);
    Plan& plan = PlanOf(key);
    Placement placement(scratch);
    const ForwardScratch own(key, plan, cache, placement);
    const Kept& kept = own.kept;

    Check(Dnn().set_stream(handle_, stream), "cudnnSetStream");
    const auto forward = [&] {
      PackWeights(key, plan, weights, kept.weights, stream);
      return Dnn().forward(handle_, plan.rnn, training ? CUDNN_FWD_MODE_TRAINING : CUDNN_FWD_MODE_INFERENCE,
                           kLengthsOfRows, plan.x, x, plan.y, kept.y, plan.state, nullptr, nullptr, plan.state, nullptr,
                           nullptr, plan.weight_bytes, kept.weights, plan.work_bytes, own.work,
                           training ? plan.reserve_bytes : 0, training ? kept.reserve : nullptr);
    };
    // What cuDNN has no kernel for, it may tell as late as this.
    if (Refused(forward(), "cudnnRNNForward")) {
      FallBack(key, plan);
      Check(forward(), "cudnnRNNForward");
    }
    CopyStates(shape, batch, kept.y, output, stream);
  }

  void Backward(const RecurrenceShape& shape, int64_t batch, const float* x, const RecurrenceWeights&,
                const StateGradient& doutput, void* cache, const RecurrenceGradients& gradients, float* dx,
                void* scratch, CUstream_st* stream) override {
    const Key key = KeyOf(shape, batch, true);
    Plan& plan = PlanOf(key);
    Placement cached(cache);
    const Kept kept(key, plan, cached);
    Placement placement(scratch);
    const BackwardScratch own(key, plan, placement);

    Check(Dnn().set_stream(handle_, stream), "cudnnSetStream");
    GatherGradients(shape, batch, doutput, own.dy, stream);
    Check(Dnn().backward_data(handle_, plan.rnn, kLengthsOfRows, plan.y, kept.y, own.dy, plan.x, dx, plan.state,
                              nullptr, nullptr, nullptr, plan.state, nullptr, nullptr, nullptr, plan.weight_bytes,
                              kept.weights, plan.work_bytes, own.work, plan.reserve_bytes, kept.reserve),
          "cudnnRNNBackwardData_v8");
    if (gradients.kernel == nullptr && gradients.recurrent_kernel == nullptr && gradients.bias == nullptr) return;
    CheckCopy(cudaMemsetAsync(own.dweights, 0, plan.weight_bytes, stream));
    Check(Dnn().backward_weights(handle_, plan.rnn, CUDNN_WGRAD_MODE_ADD, kLengthsOfRows, plan.x, x, plan.state,
                                 nullptr, plan.y, kept.y, plan.weight_bytes, own.dweights, plan.work_bytes, own.work,
                                 plan.reserve_bytes, kept.reserve),
          "cudnnRNNBackwardWeights_v8");
    UnpackGradients(key, plan, own.dweights, gradients, stream);
  }

 private:
  struct Bytes {
    size_t cache = 0, scratch = 0;
  };

  Bytes BytesOf(const Key& key) {
    const Plan& plan = PlanOf(key);
    Placement cache(nullptr), scratch(nullptr);
    if (key.training) {
      const Kept kept(key, plan, cache);
      const BackwardScratch backward(key, plan, scratch);
    } else {
      const ForwardScratch forward(key, plan, nullptr, scratch);
    }
    return {cache.bytes(), scratch.bytes()};
  }

  const Bytes& Ask(const Key& key) { return asked_[key] = BytesOf(key); }

  Plan& PlanOf(const Key& key) {
    const auto found = plans_.find(key);
    if (found != plans_.end()) return found->second;
    Plan& plan = plans_[key];
    try {
      Describe(key, plan);
    } catch (...) {
      plans_.erase(key);
      throw;
    }
    return plan;
  }

  void Describe(const Key& key, Plan& plan) {
    const auto narrow = [](int64_t size) { return static_cast<int>(size); };
    const std::vector<int> lengths(static_cast<size_t>(key.batch), narrow(key.steps));
    float padding = 0.0f;
    const auto describe_rows = [&](const dnn::Rows& rows, int64_t width) {
      Check(Dnn().set_data(rows, CUDNN_DATA_FLOAT, CUDNN_RNN_DATA_LAYOUT_BATCH_MAJOR_UNPACKED, narrow(key.steps),
                           narrow(key.batch), narrow(width), lengths.data(), &padding),
            "cudnnSetRNNDataDescriptor");
    };
    describe_rows(plan.x, key.inputs);
    describe_rows(plan.y, key.units);
    const int dims[] = {1, narrow(key.batch), narrow(key.units)};
    const int strides[] = {dims[1] * dims[2], dims[2], 1};
    Check(Dnn().set_tensor(plan.state, CUDNN_DATA_FLOAT, 3, dims, strides), "cudnnSetTensorNdDescriptor");

    // Sizes are the larger ones of both, as the one may have to stand in for the other.
    if (!Measure(key, plan, CUDNN_RNN_ALGO_STANDARD)) {
      throw Error(ErrorCode::kDevice, "cuDNN has no LSTM of " + std::to_string(key.units) + " units for this device");
    }
    const cudnnRNNAlgo_t wanted = AlgorithmFor(key);
    if (wanted != CUDNN_RNN_ALGO_STANDARD && !Measure(key, plan, wanted)) FallBack(key, plan);
  }

  /// The layer has two biases, one with each product, as the persistent kernels know no other: ours is the first, and
  /// the second is zero.
  cudnnStatus_t Choose(const Key& key, Plan& plan, cudnnRNNAlgo_t algorithm) {
    return Dnn().set_rnn(plan.rnn, algorithm, CUDNN_LSTM, CUDNN_RNN_DOUBLE_BIAS, CUDNN_UNIDIRECTIONAL,
                         CUDNN_LINEAR_INPUT, CUDNN_DATA_FLOAT, CUDNN_DATA_FLOAT, math_,
                         static_cast<int32_t>(key.inputs), static_cast<int32_t>(key.units),
                         static_cast<int32_t>(key.units), 1, no_dropout_, CUDNN_RNN_PADDED_IO_ENABLED);
  }

  /// Chooses the algorithm that serves every layer.
  void FallBack(const Key& key, Plan& plan) {
    Check(Choose(key, plan, CUDNN_RNN_ALGO_STANDARD), "cudnnSetRNNDescriptor_v8");
  }

  /// Chooses the algorithm and asks how much memory it needs; false where cuDNN refuses it.
  bool Measure(const Key& key, Plan& plan, cudnnRNNAlgo_t algorithm) {
    const cudnnForwardMode_t mode = key.training ? CUDNN_FWD_MODE_TRAINING : CUDNN_FWD_MODE_INFERENCE;
    size_t weights = 0, work = 0, reserve = 0;
    if (Refused(Choose(key, plan, algorithm), "cudnnSetRNNDescriptor_v8") ||
        Refused(Dnn().weight_space_size(handle_, plan.rnn, &weights), "cudnnGetRNNWeightSpaceSize") ||
        Refused(Dnn().temp_space_sizes(handle_, plan.rnn, mode, plan.x, &work, &reserve),
                "cudnnGetRNNTempSpaceSizes")) {
      return false;
    }
    plan.weight_bytes = std::max(plan.weight_bytes, weights);
    plan.work_bytes = std::max(plan.work_bytes, work);
    plan.reserve_bytes = std::max(plan.reserve_bytes, reserve);
    return true;
  }

  Place PlaceOf(Plan& plan, void* space, int block, bool recurrent) {
    void* matrix = nullptr;
    void* bias = nullptr;
    Check(Dnn().weight_params(handle_, plan.rnn, 0, plan.weight_bytes, space, block + (recurrent ? kBlocks : 0),
                              plan.matrix, &matrix, plan.vector, &bias),
          "cudnnGetRNNWeightParams");
    return {static_cast<float*>(matrix), static_cast<float*>(bias)};
  }

  void PackWeights(const Key& key, Plan& plan, const RecurrenceWeights& weights, void* space, CUstream_st* stream) {
    const int64_t n = key.units;
    CheckCopy(cudaMemsetAsync(space, 0, plan.weight_bytes, stream));
    for (int block = 0; block < kBlocks; ++block) {
      const Place input = PlaceOf(plan, space, block, false);
      const Place recurrent = PlaceOf(plan, space, block, true);
      CopyTransposed(weights.kernel + block * n, kBlocks * n, key.inputs, n, input.matrix, key.inputs, stream);
      CopyTransposed(weights.recurrent_kernel + block * n, kBlocks * n, n, n, recurrent.matrix, n, stream);
      if (weights.bias != nullptr) Copy(input.bias, weights.bias + block * n, n, stream);
    }
  }

  void UnpackGradients(const Key& key, Plan& plan, void* space, const RecurrenceGradients& gradients,
                       CUstream_st* stream) {
    const int64_t n = key.units;
    for (int block = 0; block < kBlocks; ++block) {
      const Place input = PlaceOf(plan, space, block, false);
      const Place recurrent = PlaceOf(plan, space, block, true);
      if (gradients.kernel != nullptr) {
        CopyTransposed(input.matrix, key.inputs, n, key.inputs, gradients.kernel + block * n, kBlocks * n, stream);
      }
      if (gradients.recurrent_kernel != nullptr) {
        CopyTransposed(recurrent.matrix, n, n, n, gradients.recurrent_kernel + block * n, kBlocks * n, stream);
      }
      if (gradients.bias != nullptr) Copy(gradients.bias + block * n, input.bias, n, stream);
    }
  }

  static void Copy(float* destination, const float* source, int64_t count, CUstream_st* stream) {
    CheckCopy(cudaMemcpyAsync(destination, source, static_cast<size_t>(count) * sizeof(float), cudaMemcpyDeviceToDevice,
                              stream));
  }

  static void CopyRows(float* destination, int64_t destination_stride, const float* source, int64_t source_stride,
                       int64_t rows, int64_t width, CUstream_st* stream) {
    const auto bytes = [](int64_t floats) { return static_cast<size_t>(floats) * sizeof(float); };
    CheckCopy(cudaMemcpy2DAsync(destination, bytes(destination_stride), source, bytes(source_stride), bytes(width),
                                static_cast<size_t>(rows), cudaMemcpyDeviceToDevice, stream));
  }

  static void CopyStates(const RecurrenceShape& shape, int64_t batch, const float* y, const StateOutput& output,
                         CUstream_st* stream) {
    const int64_t n = shape.units;
    if (shape.return_sequences) {
      CopyRows(output.h, output.stride, y, n, batch * shape.steps, n, stream);
    } else {
      CopyRows(output.h, output.stride, y + (shape.steps - 1) * n, shape.steps * n, batch, n, stream);
    }
  }

  static void GatherGradients(const RecurrenceShape& shape, int64_t batch, const StateGradient& doutput, float* dy,
                              CUstream_st* stream) {
    const int64_t n = shape.units;
    if (shape.return_sequences) {
      CopyRows(dy, n, doutput.dh, doutput.stride, batch * shape.steps, n, stream);
      return;
    }
    CheckCopy(cudaMemsetAsync(dy, 0, static_cast<size_t>(batch * shape.steps * n) * sizeof(float), stream));
    CopyRows(dy + (shape.steps - 1) * n, shape.steps * n, doutput.dh, doutput.stride, batch, n, stream);
  }

  cudnnMathType_t math_;
  dnn::DnnHandle handle_;
  dnn::Dropout no_dropout_;
  std::map<Key, Plan> plans_;
  std::map<Key, Bytes> asked_;
};

}  // namespace

VendorLibraryReport CudnnLibrary() { return dnn::Library().report; }

std::unique_ptr<CudnnLstm> CudnnLstm::Make(Precision precision) {
  if (!dnn::Library().report.reason.empty()) return nullptr;
  return std::make_unique<CudnnLayers>(precision);
}

}  // namespace slim::cuda
