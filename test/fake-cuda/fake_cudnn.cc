// cuDNN's LSTM as its documentation has it, on the host's memory and in plain loops: what the CUDA device asks of it is
// checked without a GPU. One layer, forward, batch-major rows of one length; anything else is refused.

#include <cudnn.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

namespace {

constexpr int kGates = 4;  // i, f, c~, o: products of x are numbered 0 to 3, those of h 4 to 7
// What it has persistent kernels for; the first it tells when it is asked for them, the second when it is to run them.
constexpr int32_t kMostPersistentUnits = 32;
constexpr int64_t kLeastPersistentSteps = 2;
// Sequences that stand for those at which a GPU fails.
constexpr int64_t kStepsOfFailure = 7;

struct Rnn {
  int64_t inputs = 0;
  int64_t units = 0;
  bool tf32 = false;
  bool persistent = false;

  /// What the forward products see of a number.
  double Operand(float value) const {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    if (tf32) bits = (bits + 0x1000u) & ~0x1FFFu;
    std::memcpy(&value, &bits, sizeof(bits));
    return value;
  }
  int64_t MatrixFloats(int id) const { return units * (id < kGates ? inputs : units); }
  int64_t MatrixAt(int id) const {
    return id < kGates ? id * MatrixFloats(0) : kGates * MatrixFloats(0) + (id - kGates) * MatrixFloats(kGates);
  }
  int64_t BiasAt(int id) const { return MatrixAt(2 * kGates) + id * units; }
  int64_t Floats() const { return BiasAt(2 * kGates); }
};

struct Rows {
  int64_t steps = 0, batch = 0, width = 0;
};

/// What the backward passes read of a step of a sequence: the four gates, then c, each [n].
constexpr int kKept = kGates + 1;

Rnn& Of(cudnnRNNDescriptor_t rnn) { return *reinterpret_cast<Rnn*>(rnn); }
Rows& Of(cudnnRNNDataDescriptor_t rows) { return *reinterpret_cast<Rows*>(rows); }

float* Kept(void* reserve, const Rnn& rnn, const Rows& rows, int64_t b, int64_t t) {
  return static_cast<float*>(reserve) + (b * rows.steps + t) * kKept * rnn.units;
}

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

template <class Handle, class Own>
cudnnStatus_t Create(Handle* handle) {
  *handle = reinterpret_cast<Handle>(new Own{});
  return CUDNN_STATUS_SUCCESS;
}

template <class Own, class Handle>
cudnnStatus_t Destroy(Handle handle) {
  delete reinterpret_cast<Own*>(handle);
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace

extern "C" {

size_t cudnnGetVersion() { return 90102; }
size_t cudnnGetCudartVersion() { return 13000; }
const char* cudnnGetErrorString(cudnnStatus_t) { return "a failure"; }
void cudnnGetLastErrorString(char* message, size_t size) { std::snprintf(message, size, "a cause"); }
cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) { return Create<cudnnHandle_t, int>(handle); }
cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) { return Destroy<int>(handle); }
cudnnStatus_t cudnnSetStream(cudnnHandle_t, cudaStream_t) { return CUDNN_STATUS_SUCCESS; }
cudnnStatus_t cudnnCreateRNNDescriptor(cudnnRNNDescriptor_t* rnn) { return Create<cudnnRNNDescriptor_t, Rnn>(rnn); }
cudnnStatus_t cudnnDestroyRNNDescriptor(cudnnRNNDescriptor_t rnn) { return Destroy<Rnn>(rnn); }
cudnnStatus_t cudnnCreateDropoutDescriptor(cudnnDropoutDescriptor_t* dropout) {
  return Create<cudnnDropoutDescriptor_t, int>(dropout);
}
cudnnStatus_t cudnnDestroyDropoutDescriptor(cudnnDropoutDescriptor_t dropout) { return Destroy<int>(dropout); }
cudnnStatus_t cudnnSetDropoutDescriptor(cudnnDropoutDescriptor_t, cudnnHandle_t, float rate, void*, size_t,
                                        unsigned long long) {
  return rate == 0 ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED;
}
cudnnStatus_t cudnnCreateRNNDataDescriptor(cudnnRNNDataDescriptor_t* rows) {
  return Create<cudnnRNNDataDescriptor_t, Rows>(rows);
}
cudnnStatus_t cudnnDestroyRNNDataDescriptor(cudnnRNNDataDescriptor_t rows) { return Destroy<Rows>(rows); }
cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* tensor) {
  return Create<cudnnTensorDescriptor_t, int>(tensor);
}
cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t tensor) { return Destroy<int>(tensor); }
cudnnStatus_t cudnnSetTensorNdDescriptor(cudnnTensorDescriptor_t, cudnnDataType_t, int dimensions, const int[],
                                         const int[]) {
  return dimensions == 3 ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM;
}

cudnnStatus_t cudnnSetRNNDescriptor_v8(cudnnRNNDescriptor_t rnn, cudnnRNNAlgo_t algorithm, cudnnRNNMode_t mode,
                                       cudnnRNNBiasMode_t bias, cudnnDirectionMode_t direction,
                                       cudnnRNNInputMode_t input, cudnnDataType_t type, cudnnDataType_t precision,
                                       cudnnMathType_t math, int32_t inputs, int32_t units, int32_t projection,
                                       int32_t layers, cudnnDropoutDescriptor_t, uint32_t) {
  const bool served = mode == CUDNN_LSTM && direction == CUDNN_UNIDIRECTIONAL && input == CUDNN_LINEAR_INPUT &&
                      type == CUDNN_DATA_FLOAT && precision == CUDNN_DATA_FLOAT && projection == units && layers == 1 &&
                      bias == CUDNN_RNN_DOUBLE_BIAS &&
                      (algorithm == CUDNN_RNN_ALGO_STANDARD || units <= kMostPersistentUnits);
  if (!served) return CUDNN_STATUS_NOT_SUPPORTED;
  Of(rnn) = {inputs, units, math != CUDNN_FMA_MATH, algorithm != CUDNN_RNN_ALGO_STANDARD};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetRNNDataDescriptor(cudnnRNNDataDescriptor_t rows, cudnnDataType_t, cudnnRNNDataLayout_t layout,
                                        int steps, int batch, int width, const int lengths[], void*) {
  if (layout != CUDNN_RNN_DATA_LAYOUT_BATCH_MAJOR_UNPACKED) return CUDNN_STATUS_NOT_SUPPORTED;
  for (int b = 0; b < batch; ++b) {
    if (lengths[b] != steps) return CUDNN_STATUS_NOT_SUPPORTED;
  }
  Of(rows) = {steps, batch, width};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetRNNWeightSpaceSize(cudnnHandle_t, cudnnRNNDescriptor_t rnn, size_t* bytes) {
  *bytes = static_cast<size_t>(Of(rnn).Floats()) * sizeof(float);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetRNNTempSpaceSizes(cudnnHandle_t, cudnnRNNDescriptor_t rnn, cudnnForwardMode_t mode,
                                        cudnnRNNDataDescriptor_t rows, size_t* work, size_t* reserve) {
  const size_t kept = static_cast<size_t>(Of(rows).batch * Of(rows).steps * kKept * Of(rnn).units) * sizeof(float);
  // Inference keeps the same in the workspace. One sequence alone stands for a small batch that takes more than others.
  *work = Of(rows).batch == 1 ? 10 * kept : kept;
  *reserve = mode == CUDNN_FWD_MODE_TRAINING ? kept : 0;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetRNNWeightParams(cudnnHandle_t, cudnnRNNDescriptor_t handle, int32_t layer, size_t,
                                      const void* space, int32_t id, cudnnTensorDescriptor_t, void** matrix,
                                      cudnnTensorDescriptor_t, void** bias) {
  const Rnn& rnn = Of(handle);
  if (layer != 0 || id < 0 || id >= 2 * kGates) return CUDNN_STATUS_BAD_PARAM;
  auto* begin = const_cast<float*>(static_cast<const float*>(space));
  *matrix = begin + rnn.MatrixAt(id);
  *bias = begin + rnn.BiasAt(id);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnRNNForward(cudnnHandle_t, cudnnRNNDescriptor_t handle, cudnnForwardMode_t mode, const int32_t[],
                              cudnnRNNDataDescriptor_t x_rows, const void* x_data, cudnnRNNDataDescriptor_t,
                              void* y_data, cudnnTensorDescriptor_t, const void* h_first, void*,
                              cudnnTensorDescriptor_t, const void* c_first, void*, size_t, const void* space, size_t,
                              void* work, size_t, void* reserve) {
  const Rnn& rnn = Of(handle);
  const Rows& rows = Of(x_rows);
  if (h_first != nullptr || c_first != nullptr || rows.width != rnn.inputs) return CUDNN_STATUS_BAD_PARAM;
  if (rnn.persistent && rows.steps < kLeastPersistentSteps) return CUDNN_STATUS_NOT_SUPPORTED_LAYOUT;
  if (rows.steps == kStepsOfFailure) return CUDNN_STATUS_EXECUTION_FAILED;
  const auto* weights = static_cast<const float*>(space);
  void* kept = mode == CUDNN_FWD_MODE_TRAINING ? reserve : work;
  const int64_t n = rnn.units;
  for (int64_t b = 0; b < rows.batch; ++b) {
    for (int64_t t = 0; t < rows.steps; ++t) {
      const float* x = static_cast<const float*>(x_data) + (b * rows.steps + t) * rnn.inputs;
      float* y = static_cast<float*>(y_data) + (b * rows.steps + t) * n;
      float* gates = Kept(kept, rnn, rows, b, t);
      for (int gate = 0; gate < kGates; ++gate) {
        for (int64_t j = 0; j < n; ++j) {
          double sum = double{weights[rnn.BiasAt(gate) + j]} + weights[rnn.BiasAt(gate + kGates) + j];
          const float* w = weights + rnn.MatrixAt(gate) + j * rnn.inputs;
          const float* u = weights + rnn.MatrixAt(gate + kGates) + j * n;
          for (int64_t k = 0; k < rnn.inputs; ++k) sum += rnn.Operand(w[k]) * rnn.Operand(x[k]);
          for (int64_t k = 0; t > 0 && k < n; ++k) sum += rnn.Operand(u[k]) * rnn.Operand(y[k - n]);
          gates[gate * n + j] = static_cast<float>(gate == 2 ? std::tanh(sum) : Sigmoid(sum));
        }
      }
      for (int64_t j = 0; j < n; ++j) {
        const double before = t > 0 ? Kept(kept, rnn, rows, b, t - 1)[kGates * n + j] : 0;
        const double c = gates[n + j] * before + double{gates[j]} * gates[2 * n + j];
        gates[kGates * n + j] = static_cast<float>(c);
        y[j] = static_cast<float>(gates[3 * n + j] * std::tanh(c));
      }
    }
  }
  return CUDNN_STATUS_SUCCESS;
}

/// Leaves the gradients of the pre-activations in the reserve space, in the gates' places.
cudnnStatus_t cudnnRNNBackwardData_v8(cudnnHandle_t, cudnnRNNDescriptor_t handle, const int32_t[],
                                      cudnnRNNDataDescriptor_t, const void*, const void* dy_data,
                                      cudnnRNNDataDescriptor_t x_rows, void* dx_data, cudnnTensorDescriptor_t,
                                      const void*, const void* dh_last, void*, cudnnTensorDescriptor_t, const void*,
                                      const void* dc_last, void*, size_t, const void* space, size_t, void*, size_t,
                                      void* reserve) {
  const Rnn& rnn = Of(handle);
  const Rows& rows = Of(x_rows);
  if (dh_last != nullptr || dc_last != nullptr || dx_data == nullptr) return CUDNN_STATUS_BAD_PARAM;
  const auto* weights = static_cast<const float*>(space);
  const int64_t n = rnn.units;
  for (int64_t b = 0; b < rows.batch; ++b) {
    std::vector<double> dh(static_cast<size_t>(n)), dc(static_cast<size_t>(n));
    for (int64_t t = rows.steps - 1; t >= 0; --t) {
      const float* dy = static_cast<const float*>(dy_data) + (b * rows.steps + t) * n;
      float* dx = static_cast<float*>(dx_data) + (b * rows.steps + t) * rnn.inputs;
      float* gates = Kept(reserve, rnn, rows, b, t);
      for (int64_t j = 0; j < n; ++j) {
        const auto place = static_cast<size_t>(j);
        const double i = gates[j], f = gates[n + j], g = gates[2 * n + j], o = gates[3 * n + j];
        const double squashed = std::tanh(double{gates[kGates * n + j]});
        const double before = t > 0 ? Kept(reserve, rnn, rows, b, t - 1)[kGates * n + j] : 0;
        const double total = dh[place] + dy[j];
        dc[place] += total * o * (1 - squashed * squashed);
        gates[j] = static_cast<float>(dc[place] * g * i * (1 - i));
        gates[n + j] = static_cast<float>(dc[place] * before * f * (1 - f));
        gates[2 * n + j] = static_cast<float>(dc[place] * i * (1 - g * g));
        gates[3 * n + j] = static_cast<float>(total * squashed * o * (1 - o));
        dc[place] *= f;
      }
      dh.assign(static_cast<size_t>(n), 0.0);
      for (int64_t k = 0; k < rnn.inputs; ++k) dx[k] = 0;
      for (int gate = 0; gate < kGates; ++gate) {
        for (int64_t j = 0; j < n; ++j) {
          const double da = gates[gate * n + j];
          const float* w = weights + rnn.MatrixAt(gate) + j * rnn.inputs;
          const float* u = weights + rnn.MatrixAt(gate + kGates) + j * n;
          for (int64_t k = 0; k < rnn.inputs; ++k) dx[k] += static_cast<float>(da * w[k]);
          for (int64_t k = 0; k < n; ++k) dh[static_cast<size_t>(k)] += da * u[k];
        }
      }
    }
  }
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnRNNBackwardWeights_v8(cudnnHandle_t, cudnnRNNDescriptor_t handle, cudnnWgradMode_t mode,
                                         const int32_t[], cudnnRNNDataDescriptor_t x_rows, const void* x_data,
                                         cudnnTensorDescriptor_t, const void*, cudnnRNNDataDescriptor_t,
                                         const void* y_data, size_t, void* dspace, size_t, void*, size_t,
                                         void* reserve) {
  const Rnn& rnn = Of(handle);
  const Rows& rows = Of(x_rows);
  if (mode != CUDNN_WGRAD_MODE_ADD) return CUDNN_STATUS_NOT_SUPPORTED;
  auto* dweights = static_cast<float*>(dspace);
  const int64_t n = rnn.units;
  for (int64_t b = 0; b < rows.batch; ++b) {
    for (int64_t t = 0; t < rows.steps; ++t) {
      const float* x = static_cast<const float*>(x_data) + (b * rows.steps + t) * rnn.inputs;
      const float* h = static_cast<const float*>(y_data) + (b * rows.steps + t - 1) * n;
      const float* da = Kept(reserve, rnn, rows, b, t);
      for (int gate = 0; gate < kGates; ++gate) {
        for (int64_t j = 0; j < n; ++j) {
          float* dw = dweights + rnn.MatrixAt(gate) + j * rnn.inputs;
          float* du = dweights + rnn.MatrixAt(gate + kGates) + j * n;
          for (int64_t k = 0; k < rnn.inputs; ++k) dw[k] += da[gate * n + j] * x[k];
          for (int64_t k = 0; t > 0 && k < n; ++k) du[k] += da[gate * n + j] * h[k];
          for (const int id : {gate, gate + kGates}) dweights[rnn.BiasAt(id) + j] += da[gate * n + j];
        }
      }
    }
  }
  return CUDNN_STATUS_SUCCESS;
}
}
