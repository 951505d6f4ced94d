// Tests of the CUDA device beside the CPU, written against Backend alone. The same files are built twice: with the host
// emulation (test/cuda-host), and for a real GPU.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "arrays.h"
#include "backend.h"

namespace slim::test {

// How often an operation is run on the CUDA device. The emulation runs its threads in another order each time.
int CudaRuns();

// A fresh CUDA device for the run of that number; none other is open.
std::unique_ptr<Backend> OpenCudaDevice(int run, Precision precision = Precision::kFloat32);

// Whether the CUDA device computes in the precision that is asked for: one that has no such precision keeps more. None
// is open.
bool HasPrecision(Precision precision);

// A device and arrays on it, which end together.
class Bench {
 public:
  explicit Bench(std::unique_ptr<Backend> backend) : backend_(std::move(backend)) {}
  ~Bench();
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  Backend& backend() { return *backend_; }
  Backend* operator->() { return backend_.get(); }

  // A copy on the device; null for an empty array.
  template <class T>
  T* Put(const std::vector<T>& values) {
    if (values.empty()) return nullptr;
    void* memory = New(values.size() * sizeof(T));
    backend_->Upload(memory, values.data(), values.size() * sizeof(T));
    return static_cast<T*>(memory);
  }
  // Memory whose every element has to be written: as floats, not numbers.
  template <class T = float>
  T* Space(int64_t count) {
    return reinterpret_cast<T*>(Put(Unwritten((count * static_cast<int64_t>(sizeof(T)) + 3) / 4)));
  }
  void* Scratch(size_t bytes) { return Space<uint8_t>(static_cast<int64_t>(bytes)); }

  template <class T>
  std::vector<T> Get(const T* memory, int64_t count) {
    std::vector<T> values(static_cast<size_t>(count));
    backend_->Download(values.data(), memory, values.size() * sizeof(T));
    return values;
  }

 private:
  void* New(size_t bytes);

  std::unique_ptr<Backend> backend_;
  std::vector<void*> memory_;
};

// What this process may take of a GPU that is opened while it lives.
class MemoryLimit {
 public:
  explicit MemoryLimit(const std::string& bytes) { setenv(kVariable, bytes.c_str(), 1); }
  explicit MemoryLimit(size_t bytes) : MemoryLimit(std::to_string(bytes)) {}
  ~MemoryLimit() { unsetenv(kVariable); }
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;

 private:
  static constexpr char kVariable[] = "SLIM_LSTM_DEVICE_MEMORY";
};

struct NamedOutput {
  const char* name;
  FloatArray values;
};
using Outputs = std::vector<NamedOutput>;

inline FloatArray AsFloats(const IntArray& values) { return FloatArray(values.begin(), values.end()); }

// What `run` returns on the CUDA device is within `tolerance` (relative, in the norm) of what it returns on the CPU,
// and has the same bits in every run.
inline constexpr double kFloat32Tolerance = 1e-5;
inline constexpr double kTf32Tolerance = 2e-3;
inline constexpr double kBfloat16Tolerance = 2e-2;
void ExpectSameAsCpu(const std::function<Outputs(Bench&)>& run, double tolerance = kFloat32Tolerance,
                     Precision precision = Precision::kFloat32);

// A precision, and how close it stays.
struct Closeness {
  Precision precision = Precision::kFloat32;
  double tolerance = kFloat32Tolerance;
};
inline constexpr Closeness kReducedPrecisions[] = {{Precision::kTf32, kTf32Tolerance},
                                                   {Precision::kBfloat16, kBfloat16Tolerance}};

}  // namespace slim::test
