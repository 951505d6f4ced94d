#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <functional>
#include <unordered_map>

namespace slim::cuda {

/// Steps that were recorded: what a key was enqueued with first is kept as a graph and replayed whenever the key comes
/// again.
class RecordedSteps {
 public:
  RecordedSteps() = default;
  ~RecordedSteps() { Forget(); }
  RecordedSteps(const RecordedSteps&) = delete;
  RecordedSteps& operator=(const RecordedSteps&) = delete;

  /// Throws Error (kDevice), and what `enqueue` throws; then nothing was done.
  void Run(uint64_t key, cudaStream_t stream, const std::function<void()>& enqueue);
  /// The device must have done what was enqueued.
  void Forget() noexcept;

 private:
  std::unordered_map<uint64_t, cudaGraphExec_t> recorded_;
};

}  // namespace slim::cuda
