#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend.h"
#include "program/device_array.h"
#include "program/execution.h"
#include "program/program.h"
#include "program/resident_data.h"
#include "program/streamed_data.h"

namespace slim {

/// A model on a device: its program, weights, gradients and optimizer state, and the executions planned so far. Runs
/// over data are in jobs.h. One thread at a time may use it, and always the same one where the device asks for that.
class Model {
 public:
  /// Compiles the specification and initialises the weights: array number k of the specification from stream
  /// kInitializerStream + k. Throws Error (kInvalidModel, kDevice, kOutOfMemory).
  Model(ModelSpec spec, std::unique_ptr<Backend> backend, uint64_t seed);
  ~Model();

  const Program& program() const { return program_; }
  Backend& backend() { return *backend_; }
  uint64_t seed() const { return seed_; }

  /// `host` and `values` have the layout's floats, gaps included. Writing throws Error (kInvalidArgument) where the
  /// range is outside, or inside a gap with anything but zeros.
  void ReadParameters(float* host);
  void WriteParameters(int64_t offset, const float* values, int64_t count);

  /// Sets optimizer and loss. The optimizer's state starts anew. Throws Error (kInvalidModel, kInvalidArgument,
  /// kOutOfMemory); then the training that was set before stays.
  void Compile(const TrainingSpec& training);

  /// The optimizer's arrays one after the other, each with the trainable parameters in order and without gaps.
  int64_t OptimizerFloats() const;
  void ReadOptimizer(float* host);
  void WriteOptimizer(uint32_t iterations, const float* values, int64_t count);
  uint32_t iterations() const { return iterations_; }

  /// Bytes on the device.
  struct MemoryUse {
    size_t parameters;
    size_t gradients;
    size_t optimizer;
    size_t activations;
    size_t data;  // copies of data sets, orders of rows, a batch on its way
  };
  MemoryUse Memory() const;

  // What runs need.

  /// What Compile set; throws Error (kInvalidArgument) where it was never called.
  const TrainingSpec& training() const;
  /// An execution for at least the setting's batch, its memory in place. Valid until the next call.
  Execution& Prepare(const ExecutionSetting& setting);
  ResidentData& resident() { return resident_; }
  StreamedData& streamed() { return streamed_; }
  /// As StreamedData's; data sets on the device make room for it.
  HostFeed& Feed(size_t bytes);
  MetricSums* sums() { return sums_.As<MetricSums>(); }
  /// On the device; null for none. One factor for each output. Throws Error (kInvalidArgument).
  const float* UploadClassWeights(const std::vector<float>& weights);
  float* gradients() { return gradients_.As<float>(); }
  void Update();
  void CountIteration() { ++iterations_; }

  /// A step on certain addresses: the same for the same, so that a device may replay what it recorded.
  struct StepIdentity {
    const Execution* execution;
    int64_t batch;
    const void* inputs;
    const void* targets;
    const void* order;
    const void* class_weights;
    bool update;

    bool operator==(const StepIdentity&) const = default;
  };
  uint64_t KeyOf(const StepIdentity& step);

 private:
  /// What Compile makes.
  struct Training {
    TrainingSpec spec;
    DeviceArray optimizer_state;
    DeviceArray optimizer_scratch;
    DeviceArray class_weights;
  };

  void InitializeParameters();
  /// Memory for the model itself: where it cannot be had, the data sets on the device make room.
  DeviceArray Allocate(size_t bytes, const std::string& what);
  void ForgetSteps();
  void CheckGaps(int64_t offset, const float* values, int64_t count) const;

  Program program_;
  std::unique_ptr<Backend> backend_;
  uint64_t seed_;
  uint32_t iterations_ = 0;

  DeviceArray parameters_;
  DeviceArray gradients_;
  DeviceArray segments_;
  DeviceArray sums_;
  std::optional<Training> training_;

  std::vector<std::unique_ptr<Execution>> executions_;
  DeviceArray arena_;  // shared by the executions: one runs at a time

  ResidentData resident_;
  StreamedData streamed_{*backend_};

  struct KnownStep {
    StepIdentity step;
    uint64_t key;
  };
  std::vector<KnownStep> known_steps_;
  uint64_t next_key_ = 1;
};

}  // namespace slim
