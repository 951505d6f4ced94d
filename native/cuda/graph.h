#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <functional>
#include <unordered_map>

namespace slim::cuda {

/// Steps that were recorded: what a key is enqueued with the second time is kept as a graph and replayed whenever the
/// key comes again. The first time it is enqueued as it is.
class RecordedSteps {
 public:
  RecordedSteps() = default;
  ~RecordedSteps() { Forget(); }
  RecordedSteps(const RecordedSteps&) = delete;
  RecordedSteps& operator=(const RecordedSteps&) = delete;

  /// Throws Error (kDevice), and what `enqueue` throws; then what it had enqueued before was done the first time a key
  /// came, and nothing any other time.
  void Run(uint64_t key, cudaStream_t stream, const std::function<void()>& enqueue);
  /// The device must have done what was enqueued.
  void Forget() noexcept;

 private:
  std::unordered_map<uint64_t, cudaGraphExec_t> recorded_;  // null: came once
};

}  // namespace slim::cuda
