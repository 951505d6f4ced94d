#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend.h"
#include "program/dataset.h"
#include "program/jobs.h"
#include "program/spec.h"

namespace slim {

/// What is timed: layers without a loss or an update, such as one recurrent layer, or an embedding and one. They take
/// turns, so that whatever else the machine does, and its clock rate, meets all alike.
struct TimingJob {
  std::vector<ModelSpec> models;        // of the same input and output shape
  std::shared_ptr<const Dataset> data;  // the token ids they read; null: they read random numbers
  int64_t batch = 1;
  bool input_gradient = false;  // the backward pass gives the gradient of numbers that are read
  int64_t warmups = 1;          // turns of each model before those that count
  int64_t rounds = 1;           // turns of each model that count
  uint64_t seed = 0;
};

/// Milliseconds of a model's turns.
struct TurnTimes {
  std::vector<double> forward;   // the forward pass of inference
  std::vector<double> training;  // the forward pass of training, with dropout, and the backward pass
};

struct Timings {
  std::string device;
  std::vector<TurnTimes> models;
  bool aborted = false;
};

/// Times the models on the device. Each pass works on a batch and a gradient of the output that the one before it did
/// not touch, and is waited for before the clock is read. Of the listener's metrics `steps` counts the turns of all
/// models, `warmups` included. Throws Error (kInvalidModel, kInvalidArgument, kDevice, kOutOfMemory).
Timings TimeLayers(Backend& backend, const TimingJob& job, const RunListener& listener);

}  // namespace slim
