#include "cuda/graph.h"

#include "cuda/check.h"

namespace slim::cuda {
namespace {

class Graph {
 public:
  Graph(cudaStream_t stream, const std::function<void()>& enqueue) {
    // Relaxed: what the libraries ask the driver, load and allocate meanwhile is no part of the record, and a stricter
    // mode would break it.
    Check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "begin to record a step");
    try {
      enqueue();
    } catch (...) {
      static_cast<void>(cudaStreamEndCapture(stream, &graph_));
      static_cast<void>(cudaGetLastError());
      Destroy();
      throw;
    }
    Check(cudaStreamEndCapture(stream, &graph_), "record a step");
  }
  ~Graph() { Destroy(); }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  cudaGraphExec_t Instantiate() const {
    cudaGraphExec_t exec = nullptr;
    Check(cudaGraphInstantiate(&exec, graph_, 0), "prepare a recorded step");
    return exec;
  }

 private:
  void Destroy() {
    if (graph_ != nullptr) static_cast<void>(cudaGraphDestroy(graph_));
    graph_ = nullptr;
  }

  cudaGraph_t graph_ = nullptr;
};

}  // namespace

void RecordedSteps::Run(uint64_t key, cudaStream_t stream, const std::function<void()>& enqueue) {
  const auto [known, first] = recorded_.try_emplace(key, nullptr);
  // cuBLASLt and cuDNN choose, load and allocate when they are first asked for something, and not all of their versions
  // bear to be recorded then.
  if (first) return enqueue();
  if (known->second == nullptr) known->second = Graph(stream, enqueue).Instantiate();
  Check(cudaGraphLaunch(known->second, stream), "launch a recorded step");
}

void RecordedSteps::Forget() noexcept {
  for (const auto& [key, exec] : recorded_) {
    if (exec != nullptr) static_cast<void>(cudaGraphExecDestroy(exec));
  }
  recorded_.clear();
}

}  // namespace slim::cuda
