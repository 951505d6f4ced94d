// Streams, events and graphs: work is kept and done when somebody waits, or sooner, where chance has it so.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "emulation/runtime_api.h"

struct CUevent_st {
  int64_t recorded = 0;  // how often it was recorded
  int64_t done = 0;      // the last of these recordings that was reached
  // Recorded while its stream was captured:
  CUgraph_st* graph = nullptr;
  std::vector<size_t> nodes;
};

struct CUgraph_st {
  struct Node {
    std::function<void()> work;
    std::vector<size_t> after;  // nodes that come before
  };
  std::vector<Node> nodes;
  bool invalid = false;
  cudaStream_t origin = nullptr;
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  std::thread::id captured_by;

  /// Whether the calling thread may not allocate while this is captured.
  bool ForbidsCalls() const {
    return mode == cudaStreamCaptureModeGlobal ||
           (mode == cudaStreamCaptureModeThreadLocal && captured_by == std::this_thread::get_id());
  }
};

struct CUgraphExec_st {
  std::vector<CUgraph_st::Node> nodes;
};

struct CUstream_st {
  struct Operation {
    std::function<void()> work;     // or
    CUevent_st* awaited = nullptr;  // the event that the stream waits for
    int64_t recording = 0;
  };
  std::deque<Operation> operations;
  CUgraph_st* capture = nullptr;
  std::vector<size_t> last;  // nodes that the next captured one comes after
};

namespace emulated {

/// Adds work to the stream, or to the graph that it is captured into.
cudaError_t Enqueue(cudaStream_t stream, std::function<void()> work);

/// Does work of all streams, in an order that chance decides, until the stream (or everything, for null) is done.
void Drain(cudaStream_t stream);

}  // namespace emulated
