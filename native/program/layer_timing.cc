#include "program/layer_timing.h"

#include <algorithm>
#include <chrono>
#include <functional>

#include "errors.h"
#include "philox.h"
#include "program/batches.h"
#include "program/device_array.h"
#include "program/initializer.h"
#include "program/memory_plan.h"
#include "program/nodes/chain.h"
#include "program/program.h"
#include "program/sizes.h"

namespace slim {
namespace {

using Clock = std::chrono::steady_clock;

/// Batches that take turns: with one alone, a small layer would find in the cache what a training step has to fetch.
constexpr int kBatches = 3;
/// A batch of more than this stays in no cache, and one is enough.
constexpr int64_t kBatchBeyondCaches = int64_t{1} << 26;  // floats

constexpr uint32_t kBatchStream = 0;
constexpr uint32_t kGradientStream = 1;

[[noreturn]] void Reject(const std::string& text) { throw Error(ErrorCode::kInvalidArgument, text); }

size_t FloatBytes(int64_t floats) { return static_cast<size_t>(floats) * sizeof(float); }

/// A batch in the arena, and the gradient of what a model makes of it. Both live through all passes.
struct BatchBuffers {
  BufferId input;
  BufferId doutput;
};

/// One pass of a model over one of the batches: its nodes, and when they run in the plan of all passes.
class Pass {
 public:
  Pass(Backend& backend, const Program& program, const ChainSetting& setting)
      : backend_(backend), chain_(MakeChain(program.spec(), program.layout(), setting)), setting_(setting) {}

  /// Adds the pass from `time` on and returns the time after it.
  int Plan(MemoryPlan& plan, int time, const BatchBuffers& buffers) {
    Value value;
    value.data = buffers.input;
    for (const std::unique_ptr<Node>& node : chain_.nodes) value = node->PlanForward(backend_, plan, time++, value);
    plan.Extend(value.data, time);
    BufferId gradient = buffers.doutput;
    for (size_t i = chain_.nodes.size(); i > chain_.first_backward; --i) {
      gradient = chain_.nodes[i - 1]->PlanBackward(backend_, plan, time++, gradient);
    }
    if (setting_.input_gradient) plan.Extend(gradient, time);
    return time + 1;
  }

  void Bind(const Addresses& addresses) {
    for (const std::unique_ptr<Node>& node : chain_.nodes) node->Bind(addresses);
  }

  void Run() {
    for (const std::unique_ptr<Node>& node : chain_.nodes) node->Forward(backend_, setting_.batch);
    for (size_t i = chain_.nodes.size(); i > chain_.first_backward; --i) {
      chain_.nodes[i - 1]->Backward(backend_, setting_.batch);
    }
  }

 private:
  Backend& backend_;
  Chain chain_;
  ChainSetting setting_;
};

/// A model that is timed: its weights, and its passes over each batch.
class TimedModel {
 public:
  TimedModel(Backend& backend, const ModelSpec& spec) : backend_(backend), program_(Program::Compile(spec)) {
    program_.CheckDevice(backend);
  }

  const Program& program() const { return program_; }

  void DrawWeights(uint64_t seed) {
    const ParameterLayout& layout = program_.layout();
    weights_ = DeviceArray(backend_, FloatBytes(layout.floats()), "the weights");
    gradients_ = DeviceArray(backend_, FloatBytes(layout.trainable_floats()), "the gradients");
    uint32_t stream = kInitializerStream;
    for (const Parameter& parameter : layout.parameters()) {
      HostArray<float> values(static_cast<size_t>(parameter.size), "initial weights");
      Initialize(parameter.initializer, parameter.shape, {seed, 0, stream++}, values.data());
      backend_.Upload(weights_.As<float>() + parameter.offset, values.data(), values.bytes());
    }
  }

  int Plan(const TimingJob& job, MemoryPlan& plan, int time, const std::vector<BatchBuffers>& batches) {
    ChainSetting forward;
    forward.batch = job.batch;
    ChainSetting training = forward;
    training.dropout = training.backward = true;
    training.input_gradient = job.input_gradient;
    for (const BatchBuffers& batch : batches) {
      forward_.emplace_back(backend_, program_, forward);
      time = forward_.back().Plan(plan, time, batch);
      training_.emplace_back(backend_, program_, training);
      time = training_.back().Plan(plan, time, batch);
    }
    return time;
  }

  void Bind(const MemoryPlan& plan, void* arena) {
    const Addresses addresses(plan, arena, weights_.As<float>(), gradients_.As<float>());
    for (Pass& pass : forward_) pass.Bind(addresses);
    for (Pass& pass : training_) pass.Bind(addresses);
  }

  Pass& forward(size_t batch) { return forward_[batch]; }
  Pass& training(size_t batch) { return training_[batch]; }

 private:
  Backend& backend_;
  Program program_;
  DeviceArray weights_;
  DeviceArray gradients_;
  std::vector<Pass> forward_;
  std::vector<Pass> training_;
};

/// The models of a job in one arena. Their passes follow one another in its plan, so they share its memory.
class Timing {
 public:
  Timing(Backend& backend, const TimingJob& job, const RunListener& listener)
      : backend_(backend), job_(job), listener_(listener), told_(Clock::now()) {}

  ~Timing() {
    // Nothing may still be under way on memory that is given back.
    try {
      backend_.Synchronize();
      backend_.ForgetRecorded();
    } catch (...) {
      // A lost device has no work left.
    }
  }

  Timings Measure() {
    Prepare();
    Timings timings;
    timings.device = backend_.Description();
    timings.models.resize(models_.size());
    Rehearse();
    const int64_t rounds = job_.warmups + job_.rounds;
    for (int64_t round = 0; round < rounds && !IsAborted(listener_); ++round) {
      for (size_t model = 0; model < models_.size() && !IsAborted(listener_); ++model) {
        TakeTurn(model, round, round < job_.warmups ? nullptr : &timings.models[model]);
        TellProgress(round * static_cast<int64_t>(models_.size()) + static_cast<int64_t>(model) + 1);
      }
    }
    timings.aborted = IsAborted(listener_);
    return timings;
  }

 private:
  const Program& First() const { return models_.front().program(); }
  int64_t InputElements() const { return job_.batch * First().input().Elements(); }
  int64_t OutputElements() const { return job_.batch * First().output().Elements(); }

  void Prepare() {
    if (job_.models.empty()) Reject("Expected a model or more to be timed but received none");
    models_.reserve(job_.models.size());
    for (const ModelSpec& spec : job_.models) models_.emplace_back(backend_, spec);
    CheckModels();
    if (job_.data != nullptr) CheckData();
    PlanPasses();
    for (TimedModel& model : models_) {
      model.DrawWeights(job_.seed);
      model.Bind(plan_, arena_.data());
    }
    for (uint32_t i = 0; i < batches_.size(); ++i) {
      if (job_.data == nullptr) FillAtRandom({job_.seed, i, kBatchStream}, InputElements(), At(batches_[i].input));
      FillAtRandom({job_.seed, i, kGradientStream}, OutputElements(), At(batches_[i].doutput));
    }
  }

  void CheckModels() const {
    for (const TimedModel& model : models_) {
      const Program& program = model.program();
      if (program.input().shape != First().input().shape || program.vocabulary() != First().vocabulary() ||
          program.output().shape != First().output().shape) {
        Reject("Expected models of one input and one output shape to be timed side by side but they differ");
      }
    }
    CheckedElements(First().spec().layers.front().name, "a batch of inputs", {job_.batch, First().input().Elements()});
    CheckedElements(First().spec().layers.back().name, "a batch of outputs", {job_.batch, First().output().Elements()});
    if (First().input().tokens != (job_.data != nullptr)) {
      Reject("Expected a data set for models that read token ids, and none for others");
    }
    if (job_.input_gradient && job_.data != nullptr) {
      Reject("Expected inputGradient false for models that read token ids, which have no gradient");
    }
  }

  void CheckData() const {
    const DatasetShape& data = job_.data->shape();
    if (data.input_width != First().input().Elements() || data.vocabulary != First().vocabulary()) {
      Reject("Expected token ids of the models' steps and vocabulary but the data set has others");
    }
    if (job_.data->InputRows() < job_.batch) {
      Reject("Expected " + std::to_string(job_.batch) + " rows of token ids or more for a batch but received " +
             std::to_string(job_.data->InputRows()));
    }
  }

  void PlanPasses() {
    batches_.resize(std::max(InputElements(), OutputElements()) > kBatchBeyondCaches ? 1 : kBatches);
    for (BatchBuffers& batch : batches_) {
      batch = {plan_.Add(FloatBytes(InputElements()), 0), plan_.Add(FloatBytes(OutputElements()), 0)};
    }
    int time = 1;
    for (TimedModel& model : models_) time = model.Plan(job_, plan_, time, batches_);
    for (const BatchBuffers& batch : batches_) {
      plan_.Extend(batch.input, time);
      plan_.Extend(batch.doutput, time);
    }
    plan_.Place();
    arena_ = DeviceArray(backend_, plan_.ArenaBytes(), "a step at a batch size of " + std::to_string(job_.batch));
  }

  template <class T = float>
  T* At(BufferId buffer) const {
    return reinterpret_cast<T*>(arena_.As<std::byte>() + plan_.OffsetOf(buffer));
  }

  /// Numbers in [-1, 1), by parts, so that an abort does not wait for all of a large array.
  void FillAtRandom(const RandomStream& stream, int64_t count, float* destination) {
    constexpr int64_t kPart = 1 << 18;
    HostArray<float> part(static_cast<size_t>(std::min(count, kPart)), "random numbers");
    for (int64_t begin = 0; begin < count && !IsAborted(listener_); begin += kPart) {
      const int64_t size = std::min(count - begin, kPart);
      uint32_t words[4] = {};
      for (int64_t i = 0; i < size; ++i) {
        if (i % 4 == 0) stream.Block(static_cast<uint64_t>(begin + i) / 4, words);
        part[static_cast<size_t>(i)] = static_cast<float>(static_cast<int32_t>(words[i % 4])) * 0x1p-31f;
      }
      backend_.Upload(destination + begin, part.data(), FloatBytes(size));
    }
  }

  /// Runs every pass twice: what a device does the first times only (to touch memory, to record what has come once
  /// before) takes no part of the time.
  void Rehearse() {
    for (size_t model = 0; model < models_.size(); ++model) {
      for (size_t step = 0; step < 2 * batches_.size() && !IsAborted(listener_); ++step) {
        TimeForward(model, static_cast<int64_t>(step));
        TimeTraining(model, static_cast<int64_t>(step));
      }
    }
  }

  void TakeTurn(size_t model, int64_t round, TurnTimes* times) {
    // The model before has filled the caches with what is of no use here; in a training it is the step before.
    if (models_.size() > 1) TimeTraining(model, round + 2);
    if (IsAborted(listener_)) return;
    const double forward = TimeForward(model, round + 1);
    if (IsAborted(listener_)) return;
    const double training = TimeTraining(model, round);
    if (times == nullptr) return;
    times->forward.push_back(forward);
    times->training.push_back(training);
  }

  // A pass is known to the device by its number, so that what a training replays from a recording is replayed here.

  double TimeForward(size_t model, int64_t step) {
    const size_t batch = TakeBatch(step);
    return Time(models_[model].forward(batch), 2 * (model * batches_.size() + batch) + 1);
  }

  double TimeTraining(size_t model, int64_t step) {
    const size_t batch = TakeBatch(step);
    return Time(models_[model].training(batch), 2 * (model * batches_.size() + batch) + 2);
  }

  /// The step's batch. Token ids are brought in now, as a training step's are; the data set's batches take turns.
  size_t TakeBatch(int64_t step) {
    const size_t batch = static_cast<size_t>(step) % batches_.size();
    if (job_.data != nullptr) {
      const int64_t first = step % (job_.data->InputRows() / job_.batch) * InputElements();
      const auto* ids = static_cast<const int32_t*>(job_.data->inputs()) + first;
      backend_.Upload(At<int32_t>(batches_[batch].input), ids, static_cast<size_t>(InputElements()) * sizeof(int32_t));
    }
    backend_.SetStep({job_.seed, static_cast<uint32_t>(step), 0, 0.0f});
    return batch;
  }

  /// Enqueues the pass, waits for it and returns its milliseconds.
  double Time(Pass& pass, uint64_t key) {
    const std::function<void()> enqueue = [&pass] { pass.Run(); };
    backend_.Synchronize();
    const Clock::time_point start = Clock::now();
    backend_.Run(key, enqueue);
    backend_.Synchronize();
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  }

  void TellProgress(int64_t turns) {
    // Each call wakes the listener's thread, which takes its time from the device's where cores are few.
    if (!listener_.progress || Clock::now() - told_ < kProgressInterval) return;
    told_ = Clock::now();
    RunMetrics metrics;
    metrics.steps = turns;
    listener_.progress(metrics);
  }

  Backend& backend_;
  const TimingJob& job_;
  const RunListener& listener_;
  std::vector<TimedModel> models_;
  MemoryPlan plan_;
  DeviceArray arena_;
  std::vector<BatchBuffers> batches_;
  Clock::time_point told_;
};

}  // namespace

Timings TimeLayers(Backend& backend, const TimingJob& job, const RunListener& listener) {
  return Timing(backend, job, listener).Measure();
}

}  // namespace slim
