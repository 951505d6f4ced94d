#include "cuda/graph.h"

#include "cuda/check.h"

namespace slim::cuda {
namespace {

class Graph {
 public:
  Graph(cudaStream_t stream, const std::function<void()>& enqueue) {
    // Relaxed: cuBLASLt and cuDNN ask the driver, load and allocate when they are first asked for something. That is no
    // part of the record, and a stricter mode would break it.
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
  auto known = recorded_.find(key);
  if (known == recorded_.end()) known = recorded_.emplace(key, Graph(stream, enqueue).Instantiate()).first;
  Check(cudaGraphLaunch(known->second, stream), "launch a recorded step");
}

void RecordedSteps::Forget() noexcept {
  for (const auto& [key, exec] : recorded_) static_cast<void>(cudaGraphExecDestroy(exec));
  recorded_.clear();
}

}  // namespace slim::cuda
