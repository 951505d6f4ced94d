// The problems of test/native/recurrence_problem.h, solved by the CUDA device.
#pragma once

#include <cuda_runtime.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "backend.h"
#include "devices.h"
#include "recurrence_problem.h"

namespace slim::test {

/// Devices that are opened while it lives use the kernels of that name, by SLIM_LSTM_KERNEL; null: their own choice.
class KernelNamed {
 public:
  explicit KernelNamed(const char* name) {
    if (name != nullptr) setenv("SLIM_LSTM_KERNEL", name, 1);
  }
  ~KernelNamed() { unsetenv("SLIM_LSTM_KERNEL"); }
  KernelNamed(const KernelNamed&) = delete;
  KernelNamed& operator=(const KernelNamed&) = delete;
};

// Whether the CUDA device has the kernel of that name: clusters need compute capability 9.0.
inline bool HasKernel(std::string_view name) {
  cudaDeviceProp properties;
  return !name.starts_with("cluster") ||
         (cudaGetDeviceProperties(&properties, 0) == cudaSuccess && properties.clusterLaunch != 0);
}

// The operands of a problem on a device, and one pass after the other over them.
class DeviceProblem {
 public:
  DeviceProblem(Bench& bench, const Problem& problem, const ProblemData& data)
      : bench_(bench),
        problem_(problem),
        rows_(static_cast<size_t>(OutputRows(problem))),
        units_(static_cast<size_t>(problem.shape.units)),
        stride_(units_ + 3),
        sizes_(data) {
    if (problem.embedded) {
      input_.tokens = bench.Put(data.tokens);
      input_.table = bench.Put(data.table);
      input_.vocabulary = problem.vocabulary;
    } else {
      input_.x = bench.Put(data.x);
    }
    mask_ = bench.Put(data.mask);
    weights_ = {bench.Put(data.kernel), bench.Put(data.recurrent_kernel), bench.Put(data.recurrent_diagonal),
                bench.Put(data.bias)};
    h_ = bench.Put(std::vector<float>(rows_ * stride_, kUntouched));
    const RecurrenceShape& shape = problem.shape;
    bench->CheckRecurrence(shape, problem.masked);
    if (problem.training) {
      cache_ = bench.Scratch(bench->RecurrenceCacheBytes(shape, problem.batch, problem.embedded));
    }
    const size_t bytes = bench->RecurrenceScratchBytes(shape, problem.batch, problem.embedded, problem.training);
    forward_scratch_ = bench.Scratch(bytes);
    if (!problem.training) return;
    backward_scratch_ = bench.Scratch(bytes);
    std::vector<float> dh(rows_ * stride_, std::nanf(""));
    for (size_t row = 0; row < rows_; ++row) {
      std::copy_n(data.doutput.begin() + static_cast<ptrdiff_t>(row * units_), units_,
                  dh.begin() + static_cast<ptrdiff_t>(row * stride_));
    }
    dh_ = bench.Put(dh);
    gradients_ = {Unwritten(data.kernel), Unwritten(data.recurrent_kernel), Unwritten(data.recurrent_diagonal),
                  Unwritten(data.bias)};
    dinput_.accumulate = problem.accumulate;
    if (problem.embedded) {
      dinput_.dtable = problem.accumulate ? bench.Put(data.dtable_before) : Unwritten(data.table);
    } else {
      dinput_.dx = problem.accumulate ? bench.Put(data.dx_before) : Unwritten(data.x);
    }
  }

  void Forward() {
    bench_->RecurrenceForward(problem_.shape, problem_.batch, input_, mask_, weights_,
                              {h_, static_cast<int64_t>(stride_)}, cache_, forward_scratch_);
  }
  void Backward() {
    bench_->RecurrenceBackward(problem_.shape, problem_.batch, input_, mask_, weights_,
                               {dh_, static_cast<int64_t>(stride_)}, cache_, gradients_, dinput_, backward_scratch_);
  }

  Solution Result() {
    Solution solution;
    const std::vector<float> h = bench_.Get(h_, static_cast<int64_t>(rows_ * stride_));
    for (size_t row = 0; row < rows_; ++row) {
      for (size_t j = 0; j < units_; ++j) solution.output.push_back(static_cast<double>(h[row * stride_ + j]));
      for (size_t j = units_; j < stride_; ++j) {
        if (h[row * stride_ + j] != kUntouched) solution.output.push_back(std::nan(""));
      }
    }
    if (!problem_.training) return solution;
    solution.kernel = Get(gradients_.kernel, sizes_.kernel);
    solution.recurrent_kernel = Get(gradients_.recurrent_kernel, sizes_.recurrent_kernel);
    solution.recurrent_diagonal = Get(gradients_.recurrent_diagonal, sizes_.recurrent_diagonal);
    solution.bias = Get(gradients_.bias, sizes_.bias);
    solution.dx = Get(dinput_.dx, sizes_.x);
    solution.dtable = Get(dinput_.dtable, sizes_.table);
    return solution;
  }

 private:
  // The layer's rows lie apart, as in one half of a bidirectional pair; what lies between must not be touched.
  static constexpr float kUntouched = 123.0f;

  float* Unwritten(const std::vector<float>& like) {
    return like.empty() ? nullptr : bench_.Space(static_cast<int64_t>(like.size()));
  }
  std::vector<double> Get(const float* memory, const std::vector<float>& like) {
    if (memory == nullptr) return {};
    return Converted<double>(bench_.Get(memory, static_cast<int64_t>(like.size())));
  }

  Bench& bench_;
  Problem problem_;
  size_t rows_, units_, stride_;
  const ProblemData& sizes_;
  SequenceInput input_;
  const uint8_t* mask_ = nullptr;
  RecurrenceWeights weights_;
  float* h_;
  void* cache_ = nullptr;
  // One for each pass, of unspecified content.
  void* forward_scratch_ = nullptr;
  void* backward_scratch_ = nullptr;
  const float* dh_ = nullptr;
  RecurrenceGradients gradients_ = {};
  SequenceGradient dinput_;
};

inline Solution SolveOnDevice(Bench& bench, const Problem& problem, const ProblemData& data) {
  bench->SetStep(kTestStep);
  DeviceProblem on_device(bench, problem, data);
  on_device.Forward();
  if (problem.training) on_device.Backward();
  return on_device.Result();
}

}  // namespace slim::test
