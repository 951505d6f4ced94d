#include "emulation/streams.h"

#include <algorithm>
#include <mutex>

#include "emulation/failure.h"
#include "emulation/state.h"

namespace emulated {
namespace {

using Lock = std::lock_guard<std::recursive_mutex>;

// Where the device is lost nothing is waited for any more.
bool CanGoOn(const State& state, const CUstream_st& stream) {
  if (stream.operations.empty()) return false;
  if (state.lost != cudaSuccess) return true;
  const CUstream_st::Operation& next = stream.operations.front();
  return next.awaited == nullptr || next.awaited->done >= next.recording;
}

bool RunOneOperation(State& state) {
  std::vector<cudaStream_t> ready;
  for (const cudaStream_t stream : state.streams) {
    if (CanGoOn(state, *stream)) ready.push_back(stream);
  }
  if (ready.empty()) return false;
  const cudaStream_t stream = ready[state.random.Below(ready.size())];
  const CUstream_st::Operation operation = std::move(stream->operations.front());
  stream->operations.pop_front();
  if (operation.work == nullptr || state.lost != cudaSuccess) return true;
  try {
    const DeviceMemory::Access access(state.memory);
    operation.work();
  } catch (...) {
    // What comes after a failure would fail for no reason of its own.
    for (const cudaStream_t each : state.streams) each->operations.clear();
    throw;
  }
  return true;
}

cudaError_t CheckStream(State& state, cudaStream_t stream) {
  if (state.lost != cudaSuccess) return state.lost;
  return state.streams.count(stream) == 0 ? cudaErrorInvalidResourceHandle : cudaSuccess;
}

// A call that may not happen while a stream is captured ends the capture.
bool BreaksCapture(State& state, cudaStream_t stream) {
  if (stream->capture == nullptr) return false;
  stream->capture->invalid = true;
  static_cast<void>(state);
  return true;
}

void AddUnique(std::vector<size_t>& to, const std::vector<size_t>& nodes) {
  for (const size_t node : nodes) {
    if (std::find(to.begin(), to.end(), node) == to.end()) to.push_back(node);
  }
}

// In an order that chance decides among those that the dependencies allow.
void RunNodes(const std::vector<CUgraph_st::Node>& nodes, Random& random) {
  std::vector<bool> done(nodes.size(), false);
  for (size_t left = nodes.size(); left > 0; --left) {
    std::vector<size_t> ready;
    for (size_t i = 0; i < nodes.size(); ++i) {
      if (done[i]) continue;
      if (std::all_of(nodes[i].after.begin(), nodes[i].after.end(), [&](size_t n) { return done[n]; })) {
        ready.push_back(i);
      }
    }
    const size_t next = ready[random.Below(ready.size())];
    nodes[next].work();
    done[next] = true;
  }
}

}  // namespace

cudaError_t Enqueue(cudaStream_t stream, std::function<void()> work) {
  State& state = TheState();
  const cudaError_t error = CheckStream(state, stream);
  if (error != cudaSuccess) return error;
  if (stream->capture != nullptr) {
    if (stream->capture->invalid) return cudaErrorStreamCaptureInvalidated;
    stream->capture->nodes.push_back({std::move(work), stream->last});
    stream->last = {stream->capture->nodes.size() - 1};
    return cudaSuccess;
  }
  stream->operations.push_back({std::move(work), nullptr, 0});
  while (state.random.OneIn(3) && RunOneOperation(state)) {
  }
  return cudaSuccess;
}

void Drain(cudaStream_t stream) {
  State& state = TheState();
  const auto done = [&] {
    if (stream != nullptr) return stream->operations.empty();
    return std::all_of(state.streams.begin(), state.streams.end(), [](auto s) { return s->operations.empty(); });
  };
  // Opened once for all of the work: it costs two system calls.
  const DeviceMemory::Access access(state.memory);
  while (!done()) {
    if (!RunOneOperation(state)) throw Failure("A stream waits for an event that is never reached");
  }
}

}  // namespace emulated

using emulated::Answer;
using emulated::Drain;
using emulated::Lock;
using emulated::State;
using emulated::TheState;

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned int) {
  State& state = TheState();
  const Lock lock(state.mutex);
  if (state.lost != cudaSuccess) return Answer(state.lost);
  *stream = new CUstream_st;
  state.streams.insert(*stream);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  State& state = TheState();
  const Lock lock(state.mutex);
  if (state.streams.count(stream) == 0) return Answer(cudaErrorInvalidResourceHandle);
  if (state.lost == cudaSuccess) Drain(stream);
  state.streams.erase(stream);
  delete stream;
  return state.lost;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  State& state = TheState();
  const Lock lock(state.mutex);
  const cudaError_t error = emulated::CheckStream(state, stream);
  if (error != cudaSuccess) return Answer(error);
  if (emulated::BreaksCapture(state, stream)) return Answer(cudaErrorStreamCaptureUnsupported);
  Drain(stream);
  return Answer(state.lost);
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  State& state = TheState();
  const Lock lock(state.mutex);
  const cudaError_t error = emulated::CheckStream(state, stream);
  if (error != cudaSuccess) return Answer(error);
  emulated::RunOneOperation(state);
  if (state.lost != cudaSuccess) return Answer(state.lost);
  return stream->operations.empty() ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaDeviceSynchronize() {
  State& state = TheState();
  const Lock lock(state.mutex);
  if (state.lost == cudaSuccess) Drain(nullptr);
  return Answer(state.lost);
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, void (*function)(void*), void* data) {
  const Lock lock(TheState().mutex);
  return Answer(emulated::Enqueue(stream, [function, data] { function(data); }));
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned int) {
  State& state = TheState();
  const Lock lock(state.mutex);
  if (state.lost != cudaSuccess) return Answer(state.lost);
  *event = new CUevent_st;
  state.events.insert(*event);
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  State& state = TheState();
  const Lock lock(state.mutex);
  if (state.events.erase(event) == 0) return Answer(cudaErrorInvalidResourceHandle);
  if (state.lost == cudaSuccess) Drain(nullptr);
  delete event;
  return state.lost;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  State& state = TheState();
  const Lock lock(state.mutex);
  const cudaError_t error = emulated::CheckStream(state, stream);
  if (error != cudaSuccess) return Answer(error);
  if (stream->capture != nullptr) {
    event->graph = stream->capture;
    event->nodes = stream->last;
    return cudaSuccess;
  }
  event->graph = nullptr;
  const int64_t recording = ++event->recorded;
  return Answer(emulated::Enqueue(stream, [event, recording] { event->done = std::max(event->done, recording); }));
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int) {
  State& state = TheState();
  const Lock lock(state.mutex);
  const cudaError_t error = emulated::CheckStream(state, stream);
  if (error != cudaSuccess) return Answer(error);
  if (event->graph != nullptr) {
    if (stream->capture != nullptr && stream->capture != event->graph) return Answer(cudaErrorStreamCaptureUnsupported);
    stream->capture = event->graph;
    emulated::AddUnique(stream->last, event->nodes);
    return cudaSuccess;
  }
  if (emulated::BreaksCapture(state, stream)) return Answer(cudaErrorStreamCaptureUnsupported);
  stream->operations.push_back({nullptr, event, event->recorded});
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  State& state = TheState();
  const Lock lock(state.mutex);
  while (state.lost == cudaSuccess && event->done < event->recorded) {
    if (!emulated::RunOneOperation(state)) throw emulated::Failure("An event that is never reached is waited for");
  }
  return Answer(state.lost);
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  State& state = TheState();
  const Lock lock(state.mutex);
  emulated::RunOneOperation(state);
  if (state.lost != cudaSuccess) return Answer(state.lost);
  return event->done < event->recorded ? cudaErrorNotReady : cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  const Lock lock(TheState().mutex);
  if (start->done < start->recorded || end->done < end->recorded) return Answer(cudaErrorNotReady);
  *milliseconds = 0;
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  State& state = TheState();
  const Lock lock(state.mutex);
  const cudaError_t error = emulated::CheckStream(state, stream);
  if (error != cudaSuccess) return Answer(error);
  if (stream->capture != nullptr) return Answer(cudaErrorInvalidValue);
  auto* graph = new CUgraph_st;
  graph->origin = stream;
  graph->mode = mode;
  graph->captured_by = std::this_thread::get_id();
  state.graphs.insert(graph);
  stream->capture = graph;
  stream->last.clear();
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  State& state = TheState();
  const Lock lock(state.mutex);
  *graph = nullptr;
  const cudaError_t error = emulated::CheckStream(state, stream);
  if (error != cudaSuccess) return Answer(error);
  CUgraph_st* captured = stream->capture;
  if (captured == nullptr || captured->origin != stream) return Answer(cudaErrorInvalidValue);
  // Whatever other streams added has to come before the end of the stream that began.
  std::vector<bool> reached(captured->nodes.size(), false);
  std::vector<size_t> open = stream->last;
  while (!open.empty()) {
    const size_t node = open.back();
    open.pop_back();
    if (reached[node]) continue;
    reached[node] = true;
    open.insert(open.end(), captured->nodes[node].after.begin(), captured->nodes[node].after.end());
  }
  for (const cudaStream_t each : state.streams) {
    if (each->capture == captured) each->capture = nullptr, each->last.clear();
  }
  for (const cudaEvent_t event : state.events) {
    if (event->graph == captured) event->graph = nullptr;
  }
  const bool joined = std::all_of(reached.begin(), reached.end(), [](bool r) { return r; });
  if (captured->invalid || !joined) {
    state.graphs.erase(captured);
    delete captured;
    return Answer(cudaErrorStreamCaptureInvalidated);
  }
  *graph = captured;
  return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  State& state = TheState();
  const Lock lock(state.mutex);
  const cudaError_t error = emulated::CheckStream(state, stream);
  if (error != cudaSuccess) return Answer(error);
  *status = stream->capture == nullptr ? cudaStreamCaptureStatusNone
            : stream->capture->invalid ? cudaStreamCaptureStatusInvalidated
                                       : cudaStreamCaptureStatusActive;
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  State& state = TheState();
  const Lock lock(state.mutex);
  if (state.lost != cudaSuccess) return Answer(state.lost);
  *exec = new CUgraphExec_st{graph->nodes};
  state.execs.insert(*exec);
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  State& state = TheState();
  const Lock lock(state.mutex);
  if (state.execs.count(exec) == 0) return Answer(cudaErrorInvalidResourceHandle);
  ++state.counted.graph_launches;
  return Answer(emulated::Enqueue(stream, [nodes = exec->nodes, &state] { emulated::RunNodes(nodes, state.random); }));
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  State& state = TheState();
  const Lock lock(state.mutex);
  if (state.execs.erase(exec) == 0) return Answer(cudaErrorInvalidResourceHandle);
  delete exec;
  return state.lost;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  State& state = TheState();
  const Lock lock(state.mutex);
  if (state.graphs.erase(graph) == 0) return Answer(cudaErrorInvalidResourceHandle);
  delete graph;
  return state.lost;
}
