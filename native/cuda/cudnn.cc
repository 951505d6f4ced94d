#include "cuda/cudnn.h"

#include <cuda_runtime_api.h>
#include <cudnn.h>

#include <compare>
#include <map>
#include <vector>

#include "cuda/cudnn_weights.h"
#include "cuda/dynamic_library.h"

namespace slim::cuda {
namespace {

/// The functions of cuDNN that are used, found at run time; their types are those of its headers.
struct Functions {
  decltype(&cudnnGetVersion) get_version;
  decltype(&cudnnGetErrorString) get_error_string;
  decltype(&cudnnCreate) create;
  decltype(&cudnnDestroy) destroy;
  decltype(&cudnnSetStream) set_stream;
  decltype(&cudnnCreateRNNDescriptor) create_rnn;
  decltype(&cudnnDestroyRNNDescriptor) destroy_rnn;
  decltype(&cudnnSetRNNDescriptor_v8) set_rnn;
  decltype(&cudnnCreateDropoutDescriptor) create_dropout;
  decltype(&cudnnDestroyDropoutDescriptor) destroy_dropout;
  decltype(&cudnnSetDropoutDescriptor) set_dropout;
  decltype(&cudnnCreateRNNDataDescriptor) create_data;
  decltype(&cudnnDestroyRNNDataDescriptor) destroy_data;
  decltype(&cudnnSetRNNDataDescriptor) set_data;
  decltype(&cudnnCreateTensorDescriptor) create_tensor;
  decltype(&cudnnDestroyTensorDescriptor) destroy_tensor;
  decltype(&cudnnSetTensorNdDescriptor) set_tensor;
  decltype(&cudnnGetRNNWeightSpaceSize) weight_space_size;
  decltype(&cudnnGetRNNTempSpaceSizes) temp_space_sizes;
  decltype(&cudnnGetRNNWeightParams) weight_params;
  decltype(&cudnnRNNForward) forward;
  decltype(&cudnnRNNBackwardData_v8) backward_data;
  decltype(&cudnnRNNBackwardWeights_v8) backward_weights;
};

struct Opened {
  Functions functions{};
  VendorLibraryReport report;
};

std::string VersionInWords(size_t version) {
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

Opened Open() {
  DynamicLibrary library = DynamicLibrary::Open(
      {"cuDNN", {"libcudnn.so.9"}, "install cuDNN 9 or its Python package (pip install nvidia-cudnn-cu13)"});
  Opened opened;
  Functions& f = opened.functions;
  const bool complete =
      library.Bind("cudnnGetVersion", f.get_version) && library.Bind("cudnnGetErrorString", f.get_error_string) &&
      library.Bind("cudnnCreate", f.create) && library.Bind("cudnnDestroy", f.destroy) &&
      library.Bind("cudnnSetStream", f.set_stream) && library.Bind("cudnnCreateRNNDescriptor", f.create_rnn) &&
      library.Bind("cudnnDestroyRNNDescriptor", f.destroy_rnn) && library.Bind("cudnnSetRNNDescriptor_v8", f.set_rnn) &&
      library.Bind("cudnnCreateDropoutDescriptor", f.create_dropout) &&
      library.Bind("cudnnDestroyDropoutDescriptor", f.destroy_dropout) &&
      library.Bind("cudnnSetDropoutDescriptor", f.set_dropout) &&
      library.Bind("cudnnCreateRNNDataDescriptor", f.create_data) &&
      library.Bind("cudnnDestroyRNNDataDescriptor", f.destroy_data) &&
      library.Bind("cudnnSetRNNDataDescriptor", f.set_data) &&
      library.Bind("cudnnCreateTensorDescriptor", f.create_tensor) &&
      library.Bind("cudnnDestroyTensorDescriptor", f.destroy_tensor) &&
      library.Bind("cudnnSetTensorNdDescriptor", f.set_tensor) &&
      library.Bind("cudnnGetRNNWeightSpaceSize", f.weight_space_size) &&
      library.Bind("cudnnGetRNNTempSpaceSizes", f.temp_space_sizes) &&
      library.Bind("cudnnGetRNNWeightParams", f.weight_params) && library.Bind("cudnnRNNForward", f.forward) &&
      library.Bind("cudnnRNNBackwardData_v8", f.backward_data) &&
      library.Bind("cudnnRNNBackwardWeights_v8", f.backward_weights);
  opened.report = {"cuDNN", complete ? VersionInWords(f.get_version()) : "", library.path(), library.reason()};
  return opened;
}

const Opened& Library() {
  static const Opened opened = Open();
  return opened;
}

const Functions& Dnn() { return Library().functions; }

void Check(cudnnStatus_t status, const char* function) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  throw Error(ErrorCode::kDevice, std::string("cuDNN failed in ") + function + ": " + Dnn().get_error_string(status));
}

void CheckCopy(cudaError_t status) {
  if (status == cudaSuccess) return;
  throw Error(ErrorCode::kDevice, std::string("cuDNN's operands could not be copied: ") + cudaGetErrorString(status));
}

/// An object of cuDNN's, made and destroyed with its owner by the functions that the members of Functions point to.
template <class Handle, auto Create, auto Destroy>
class Owned {
 public:
  Owned() { Check((Dnn().*Create)(&handle_), "making its records"); }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  ~Owned() { (Dnn().*Destroy)(handle_); }
  operator Handle() const { return handle_; }

 private:
  Handle handle_ = nullptr;
};

using DnnHandle = Owned<cudnnHandle_t, &Functions::create, &Functions::destroy>;
using Dropout = Owned<cudnnDropoutDescriptor_t, &Functions::create_dropout, &Functions::destroy_dropout>;
using Rnn = Owned<cudnnRNNDescriptor_t, &Functions::create_rnn, &Functions::destroy_rnn>;
using Rows = Owned<cudnnRNNDataDescriptor_t, &Functions::create_data, &Functions::destroy_data>;
using Tensor = Owned<cudnnTensorDescriptor_t, &Functions::create_tensor, &Functions::destroy_tensor>;

struct Key {
  int64_t batch, steps, inputs, units;
  bool bias, training;

  auto operator<=>(const Key&) const = default;
};

/// A layer as cuDNN is told of it.
struct Plan {
  Rnn rnn;
  Rows x, y;
  Tensor state;           // h and c of one step
  Tensor matrix, vector;  // which cudnnGetRNNWeightParams fills
  size_t weight_bytes = 0, work_bytes = 0, reserve_bytes = 0;
  std::vector<int32_t> lengths;  // of the batch's sequences; a recorded graph copies them whenever it is replayed
};

constexpr size_t kAlignment = 256;

size_t Aligned(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

/// Hands out parts of a memory one after the other; without a memory it counts.
class Parts {
 public:
  explicit Parts(void* memory) : begin_(static_cast<char*>(memory)) {}

  template <class Element>
  Element* Take(size_t bytes) {
    const size_t offset = used_;
    used_ += Aligned(bytes);
    return begin_ == nullptr ? nullptr : reinterpret_cast<Element*>(begin_ + offset);
  }
  size_t used() const { return used_; }

 private:
  char* begin_;
  size_t used_ = 0;
};

/// What the backward pass reads again; in inference it lies in the scratch memory.
struct Kept {
  Kept(const Key& key, const Plan& plan, Parts& parts)
      : lengths(parts.Take<int32_t>(static_cast<size_t>(key.batch) * sizeof(int32_t))),
        weights(parts.Take<void>(plan.weight_bytes)),
        reserve(parts.Take<void>(plan.reserve_bytes)),
        y(parts.Take<float>(static_cast<size_t>(key.batch * key.steps * key.units) * sizeof(float))) {}

  int32_t* lengths;  // [B], all of them T: cuDNN before 9 reads them, later versions need not
  void* weights;     // in cuDNN's order
  void* reserve;
  float* y;  // [B, T, n]
};

struct BackwardScratch {
  BackwardScratch(const Key& key, const Plan& plan, Parts& parts)
      : work(parts.Take<void>(plan.work_bytes)),
        dweights(parts.Take<void>(plan.weight_bytes)),
        dy(parts.Take<float>(static_cast<size_t>(key.batch * key.steps * key.units) * sizeof(float))),
        dx(parts.Take<float>(static_cast<size_t>(key.batch * key.steps * key.inputs) * sizeof(float))) {}

  void* work;
  void* dweights;
  float* dy;  // [B, T, n]
  float* dx;  // [B, T, m], where the caller wants none
};

/// The matrix and the bias of a block in cuDNN's weight space: its products of x are 0 to 3, those of h 4 to 7, both in
/// our order i, f, c, o.
struct Place {
  float* matrix;  // [n, m] or [n, n]
  float* bias;    // [n], or null
};

Key KeyOf(const RecurrenceShape& shape, int64_t batch, bool training) {
  return {batch, shape.steps, shape.inputs, shape.units, shape.cell.blocks[kInputGate].bias, training};
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
    const Key key = KeyOf(shape, batch, true);
    Parts parts(nullptr);
    const Kept kept(key, PlanOf(key), parts);
    return parts.used();
  }

  size_t ScratchBytes(const RecurrenceShape& shape, int64_t batch, bool training) override {
    const Key key = KeyOf(shape, batch, training);
    const Plan& plan = PlanOf(key);
    Parts parts(nullptr);
    if (training) {
      const BackwardScratch scratch(key, plan, parts);
    } else {
      parts.Take<void>(plan.work_bytes);
      const Kept kept(key, plan, parts);
    }
    return parts.used();
  }

  void Forward(const RecurrenceShape& shape, int64_t batch, const float* x, const RecurrenceWeights& weights,
               const StateOutput& output, void* cache, void* scratch, CUstream_st* stream) override {
    const bool training = cache != nullptr;
    const Key key = KeyOf(shape, batch, training);
    Plan& plan = PlanOf(key);
    Parts parts(scratch);
    void* work = parts.Take<void>(plan.work_bytes);
    Parts cached(cache);
    const Kept kept(key, plan, training ? cached : parts);

    Check(Dnn().set_stream(handle_, stream), "cudnnSetStream");
    CheckCopy(cudaMemcpyAsync(kept.lengths, plan.lengths.data(), plan.lengths.size() * sizeof(int32_t),
                              cudaMemcpyHostToDevice, stream));
    PackWeights(key, plan, weights, kept.weights, stream);
    Check(Dnn().forward(handle_, plan.rnn, training ? CUDNN_FWD_MODE_TRAINING : CUDNN_FWD_MODE_INFERENCE, kept.lengths,
                        plan.x, x, plan.y, kept.y, plan.state, nullptr, nullptr, plan.state, nullptr, nullptr,
                        plan.weight_bytes, kept.weights, plan.work_bytes, work, training ? plan.reserve_bytes : 0,
                        training ? kept.reserve : nullptr),
          "cudnnRNNForward");
    CopyStates(shape, batch, kept.y, output, stream);
  }

  void Backward(const RecurrenceShape& shape, int64_t batch, const float* x, const RecurrenceWeights&,
                const StateGradient& doutput, void* cache, const RecurrenceGradients& gradients, float* dx,
                void* scratch, CUstream_st* stream) override {
    const Key key = KeyOf(shape, batch, true);
    Plan& plan = PlanOf(key);
    Parts cached(cache);
    const Kept kept(key, plan, cached);
    Parts parts(scratch);
    const BackwardScratch own(key, plan, parts);

    Check(Dnn().set_stream(handle_, stream), "cudnnSetStream");
    GatherGradients(shape, batch, doutput, own.dy, stream);
    Check(Dnn().backward_data(handle_, plan.rnn, kept.lengths, plan.y, kept.y, own.dy, plan.x,
                              dx == nullptr ? own.dx : dx, plan.state, nullptr, nullptr, nullptr, plan.state, nullptr,
                              nullptr, nullptr, plan.weight_bytes, kept.weights, plan.work_bytes, own.work,
                              plan.reserve_bytes, kept.reserve),
          "cudnnRNNBackwardData_v8");
    CheckCopy(cudaMemsetAsync(own.dweights, 0, plan.weight_bytes, stream));
    Check(Dnn().backward_weights(handle_, plan.rnn, CUDNN_WGRAD_MODE_ADD, kept.lengths, plan.x, x, plan.state, nullptr,
                                 plan.y, kept.y, plan.weight_bytes, own.dweights, plan.work_bytes, own.work,
                                 plan.reserve_bytes, kept.reserve),
          "cudnnRNNBackwardWeights_v8");
    UnpackGradients(key, plan, own.dweights, gradients, stream);
  }

 private:
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
    plan.lengths.assign(static_cast<size_t>(key.batch), narrow(key.steps));
    float padding = 0.0f;
    const auto describe_rows = [&](const Rows& rows, int64_t width) {
      Check(Dnn().set_data(rows, CUDNN_DATA_FLOAT, CUDNN_RNN_DATA_LAYOUT_BATCH_MAJOR_UNPACKED, narrow(key.steps),
                           narrow(key.batch), narrow(width), plan.lengths.data(), &padding),
            "cudnnSetRNNDataDescriptor");
    };
    describe_rows(plan.x, key.inputs);
    describe_rows(plan.y, key.units);
    const int dims[] = {1, narrow(key.batch), narrow(key.units)};
    const int strides[] = {dims[1] * dims[2], dims[2], 1};
    Check(Dnn().set_tensor(plan.state, CUDNN_DATA_FLOAT, 3, dims, strides), "cudnnSetTensorNdDescriptor");

    const cudnnRNNAlgo_t wanted = AlgorithmFor(key);
    if (!Measure(key, plan, wanted) &&
        (wanted == CUDNN_RNN_ALGO_STANDARD || !Measure(key, plan, CUDNN_RNN_ALGO_STANDARD))) {
      throw Error(ErrorCode::kDevice, "cuDNN has no LSTM of " + std::to_string(key.units) + " units for this device");
    }
  }

  /// Sets the algorithm and asks how much memory it needs; false where cuDNN refuses it.
  bool Measure(const Key& key, Plan& plan, cudnnRNNAlgo_t algorithm) {
    Check(Dnn().set_rnn(plan.rnn, algorithm, CUDNN_LSTM, key.bias ? CUDNN_RNN_SINGLE_INP_BIAS : CUDNN_RNN_NO_BIAS,
                        CUDNN_UNIDIRECTIONAL, CUDNN_LINEAR_INPUT, CUDNN_DATA_FLOAT, CUDNN_DATA_FLOAT, math_,
                        static_cast<int32_t>(key.inputs), static_cast<int32_t>(key.units),
                        static_cast<int32_t>(key.units), 1, no_dropout_, CUDNN_RNN_PADDED_IO_ENABLED),
          "cudnnSetRNNDescriptor_v8");
    const cudnnForwardMode_t mode = key.training ? CUDNN_FWD_MODE_TRAINING : CUDNN_FWD_MODE_INFERENCE;
    return Dnn().weight_space_size(handle_, plan.rnn, &plan.weight_bytes) == CUDNN_STATUS_SUCCESS &&
           Dnn().temp_space_sizes(handle_, plan.rnn, mode, plan.x, &plan.work_bytes, &plan.reserve_bytes) ==
               CUDNN_STATUS_SUCCESS;
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
    for (int block = 0; block < kBlocks; ++block) {
      const Place input = PlaceOf(plan, space, block, false);
      const Place recurrent = PlaceOf(plan, space, block, true);
      CopyTransposed(weights.kernel + block * n, kBlocks * n, key.inputs, n, input.matrix, key.inputs, stream);
      CopyTransposed(weights.recurrent_kernel + block * n, kBlocks * n, n, n, recurrent.matrix, n, stream);
      if (key.bias) Copy(input.bias, weights.bias + block * n, n, stream);
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
  DnnHandle handle_;
  Dropout no_dropout_;
  std::map<Key, Plan> plans_;
};

}  // namespace

VendorLibraryReport CudnnLibrary() { return Library().report; }

std::unique_ptr<CudnnLstm> CudnnLstm::Make(Precision precision) {
  if (!Library().report.reason.empty()) return nullptr;
  return std::make_unique<CudnnLayers>(precision);
}

}  // namespace slim::cuda
