// The problems of test/native/recurrence_problem.h, solved by the CUDA device.
#pragma once

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "backend.h"
#include "recurrence_problem.h"

namespace slim::test {

/// An array in the memory of a device, given back at the end.
template <class T>
class OnDevice {
 public:
  OnDevice(Backend& backend, const std::vector<T>& values) : backend_(backend), count_(values.size()) {
    memory_ = backend.Allocate(count_ * sizeof(T) + (count_ == 0));
    if (count_ > 0) backend.Upload(memory_, values.data(), count_ * sizeof(T));
  }
  /// Of unspecified content.
  OnDevice(Backend& backend, size_t count) : backend_(backend), count_(count) {
    memory_ = backend.Allocate(count_ * sizeof(T) + (count_ == 0));
  }
  ~OnDevice() { backend_.Free(memory_); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  T* data() const { return static_cast<T*>(memory_); }
  /// Null for an array of nothing.
  T* OrNull() const { return count_ == 0 ? nullptr : data(); }
  std::vector<T> Values() const {
    std::vector<T> values(count_);
    if (count_ > 0) backend_.Download(values.data(), memory_, count_ * sizeof(T));
    return values;
  }

 private:
  Backend& backend_;
  size_t count_;
  void* memory_;
};

/// For the time of its life SLIM_LSTM_KERNEL names the kernels to use; null: the device's own choice.
class KernelNamed {
 public:
  explicit KernelNamed(const char* name) {
    if (name != nullptr) setenv("SLIM_LSTM_KERNEL", name, 1);
  }
  ~KernelNamed() { unsetenv("SLIM_LSTM_KERNEL"); }
  KernelNamed(const KernelNamed&) = delete;
  KernelNamed& operator=(const KernelNamed&) = delete;
};

inline Solution SolveOnDevice(Backend& backend, const Problem& problem, const ProblemData& data) {
  const RecurrenceShape& shape = problem.shape;
  const size_t units = static_cast<size_t>(shape.units);
  const size_t rows = static_cast<size_t>(OutputRows(problem));
  backend.SetStep(kTestStep);

  const OnDevice<float> x(backend, data.x), table(backend, data.table), kernel(backend, data.kernel),
      recurrent_kernel(backend, data.recurrent_kernel), diagonal(backend, data.recurrent_diagonal),
      bias(backend, data.bias);
  const OnDevice<int32_t> tokens(backend, data.tokens);
  const OnDevice<uint8_t> mask(backend, data.mask);
  SequenceInput input;
  if (problem.embedded) {
    input.tokens = tokens.data();
    input.table = table.data();
    input.vocabulary = problem.vocabulary;
  } else {
    input.x = x.data();
  }
  const RecurrenceWeights weights = {kernel.OrNull(), recurrent_kernel.OrNull(), diagonal.OrNull(), bias.OrNull()};

  // The layer's rows lie apart, as in one half of a bidirectional pair; what lies between must not be touched.
  constexpr float kUntouched = 123.0f;
  const size_t stride = units + 3;
  const OnDevice<float> h(backend, std::vector<float>(rows * stride, kUntouched));
  const OnDevice<uint8_t> cache(backend, backend.RecurrenceCacheBytes(shape, problem.batch, problem.embedded));
  const size_t scratch_bytes =
      backend.RecurrenceScratchBytes(shape, problem.batch, problem.embedded, problem.training);
  Solution solution;
  {
    const OnDevice<uint8_t> scratch(backend, scratch_bytes);
    backend.RecurrenceForward(shape, problem.batch, input, problem.masked ? mask.data() : nullptr, weights,
                              {h.data(), static_cast<int64_t>(stride)}, problem.training ? cache.data() : nullptr,
                              scratch.data());
    backend.Synchronize();
  }
  const std::vector<float> output = h.Values();
  for (size_t row = 0; row < rows; ++row) {
    for (size_t j = 0; j < units; ++j) solution.output.push_back(static_cast<double>(output[row * stride + j]));
    for (size_t j = units; j < stride; ++j) {
      if (output[row * stride + j] != kUntouched) solution.output.push_back(std::nan(""));
    }
  }
  if (!problem.training) return solution;

  std::vector<float> dh(rows * stride, std::nanf(""));
  for (size_t row = 0; row < rows; ++row) {
    std::copy_n(data.doutput.begin() + static_cast<ptrdiff_t>(row * units), units,
                dh.begin() + static_cast<ptrdiff_t>(row * stride));
  }
  const OnDevice<float> doutput(backend, dh);
  const OnDevice<float> dkernel(backend, data.kernel.size()), drecurrent(backend, data.recurrent_kernel.size()),
      ddiagonal(backend, data.recurrent_diagonal.size()), dbias(backend, data.bias.size());
  const std::vector<float> poison_x(data.x.size(), std::nanf("")), poison_table(data.table.size(), std::nanf(""));
  const OnDevice<float> dx(backend, problem.accumulate ? data.dx_before : poison_x),
      dtable(backend, problem.accumulate ? data.dtable_before : poison_table);
  SequenceGradient dinput;
  dinput.dx = problem.embedded ? nullptr : dx.data();
  dinput.dtable = problem.embedded ? dtable.data() : nullptr;
  dinput.accumulate = problem.accumulate;
  const OnDevice<uint8_t> scratch(backend, scratch_bytes);
  backend.RecurrenceBackward(shape, problem.batch, input, problem.masked ? mask.data() : nullptr, weights,
                             {doutput.data(), static_cast<int64_t>(stride)}, cache.data(),
                             {dkernel.OrNull(), drecurrent.OrNull(), ddiagonal.OrNull(), dbias.OrNull()}, dinput,
                             scratch.data());
  solution.kernel = Converted<double>(dkernel.Values());
  solution.recurrent_kernel = Converted<double>(drecurrent.Values());
  solution.recurrent_diagonal = Converted<double>(ddiagonal.Values());
  solution.bias = Converted<double>(dbias.Values());
  if (problem.embedded) {
    solution.dtable = Converted<double>(dtable.Values());
  } else {
    solution.dx = Converted<double>(dx.Values());
  }
  return solution;
}

}  // namespace slim::test
