#include "program/model.h"

#include <algorithm>

#include "errors.h"
#include "philox.h"
#include "program/host_memory.h"
#include "program/initializer.h"
#include "program/sizes.h"

namespace slim {
namespace {

size_t FloatBytes(int64_t floats) { return static_cast<size_t>(floats) * sizeof(float); }

[[noreturn]] void Reject(const std::string& text) { throw Error(ErrorCode::kInvalidArgument, text); }

/// Whether an execution planned for `have` serves `want`.
bool Serves(const ExecutionSetting& have, const ExecutionSetting& want) {
  return have.chain.batch >= want.chain.batch && have.chain.dropout == want.chain.dropout &&
         have.chain.backward == want.chain.backward && have.chain.input_gradient == want.chain.input_gradient &&
         have.chain.loss == want.chain.loss && have.top_k == want.top_k;
}

/// What `take` takes of the device; where that has not enough, once more after the data sets made room.
template <class Take>
auto WithRoom(ResidentData& resident, const Take& take) {
  try {
    return take();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kOutOfMemory || !resident.MakeRoom()) throw;
  }
  return take();
}

/// Steps that a model keeps apart before it starts again: more than a training with its validation ever needs.
constexpr size_t kMostKnownSteps = 64;

}  // namespace

Model::Model(ModelSpec spec, std::unique_ptr<Backend> backend, uint64_t seed)
    : program_(Program::Compile(std::move(spec))), backend_(std::move(backend)), seed_(seed), resident_(*backend_) {
  program_.CheckDevice(*backend_);
  const ParameterLayout& layout = program_.layout();
  parameters_ = DeviceArray(*backend_, FloatBytes(layout.floats()), "the weights");
  sums_ = DeviceArray(*backend_, sizeof(MetricSums), "the metrics");
  InitializeParameters();
}

Model::~Model() {
  // Nothing may still be under way on memory that is given back.
  try {
    backend_->Synchronize();
  } catch (...) {
    // A lost device has no work left.
  }
}

DeviceArray Model::Allocate(size_t bytes, const std::string& what) {
  return WithRoom(resident_, [&] { return DeviceArray(*backend_, bytes, what); });
}

HostFeed& Model::Feed(size_t bytes) {
  return *WithRoom(resident_, [&] { return &streamed_.Feed(bytes); });
}

void Model::InitializeParameters() {
  const std::vector<Parameter>& parameters = program_.layout().parameters();
  if (parameters.empty()) return;
  const auto largest = std::max_element(parameters.begin(), parameters.end(),
                                        [](const Parameter& a, const Parameter& b) { return a.size < b.size; });
  HostArray<float> values(static_cast<size_t>(largest->size), "initial weights");
  backend_->Zero(parameters_.data(), parameters_.bytes());
  for (size_t k = 0; k < parameters.size(); ++k) {
    const Parameter& parameter = parameters[k];
    const RandomStream stream{seed_, 0, kInitializerStream + static_cast<uint32_t>(k)};
    Initialize(parameter.initializer, parameter.shape, stream, values.data());
    backend_->Upload(parameters_.As<float>() + parameter.offset, values.data(), FloatBytes(parameter.size));
  }
}

void Model::ReadParameters(float* host) {
  if (parameters_.bytes() > 0) backend_->Download(host, parameters_.data(), parameters_.bytes());
}

void Model::WriteParameters(int64_t offset, const float* values, int64_t count) {
  const int64_t floats = program_.layout().floats();
  if (offset < 0 || offset > floats || count > floats - offset) {
    Reject("Expected a range within the " + std::to_string(floats) + " floats of the weights but received " +
           std::to_string(count) + " from " + std::to_string(offset));
  }
  CheckGaps(offset, values, count);
  if (count > 0) backend_->Upload(parameters_.As<float>() + offset, values, FloatBytes(count));
}

/// Whatever lies between arrays takes part in every update, so it has to stay zero.
void Model::CheckGaps(int64_t offset, const float* values, int64_t count) const {
  const std::vector<Parameter>& parameters = program_.layout().parameters();
  std::vector<Segment> arrays;
  arrays.reserve(parameters.size());
  for (const Parameter& parameter : parameters) arrays.push_back({parameter.offset, parameter.size});
  std::sort(arrays.begin(), arrays.end(), [](const Segment& a, const Segment& b) { return a.offset < b.offset; });
  for (size_t i = 0; i < arrays.size(); ++i) {
    const int64_t gap = arrays[i].offset + arrays[i].size;
    const int64_t next = i + 1 < arrays.size() ? arrays[i + 1].offset : program_.layout().floats();
    for (int64_t at = std::max(gap, offset); at < std::min(next, offset + count); ++at) {
      if (values[at - offset] != 0.0f) {
        Reject("Expected zeros between the arrays of weights but received another number at float " +
               std::to_string(at));
      }
    }
  }
}

void Model::Compile(const TrainingSpec& spec) {
  program_.CheckTraining(spec);
  const ParameterLayout& layout = program_.layout();
  const int64_t floats = layout.trainable_floats();
  const auto segments = static_cast<int64_t>(layout.segments().size());
  if (gradients_.bytes() < FloatBytes(floats)) {
    gradients_ = Allocate(FloatBytes(floats), "the gradients");
    backend_->Zero(gradients_.data(), gradients_.bytes());
    segments_ = Allocate(layout.segments().size() * sizeof(Segment), "the arrays' places");
    backend_->Upload(segments_.data(), layout.segments().data(), segments_.bytes());
  }
  Training training;
  training.spec = spec;
  training.optimizer_state =
      Allocate(FloatBytes(floats) * static_cast<size_t>(spec.optimizer.StateArrays()), "the optimizer's state");
  training.optimizer_scratch = Allocate(
      floats == 0 ? 0 : backend_->OptimizerScratchBytes(spec.optimizer, floats, segments), "the optimizer's scratch");
  training.class_weights = Allocate(
      FloatBytes(LossShape{spec.loss, OutputForm::kValues, program_.output().Elements()}.Classes()), "class weights");
  if (training.optimizer_state.bytes() > 0) {
    backend_->Zero(training.optimizer_state.data(), training.optimizer_state.bytes());
  }
  ForgetSteps();
  executions_.clear();
  training_ = std::move(training);
  iterations_ = 0;
}

const TrainingSpec& Model::training() const {
  if (!training_) Reject("Expected compile() before a run that needs a loss but the model was not compiled");
  return training_->spec;
}

int64_t Model::OptimizerFloats() const {
  if (!training_) return 0;
  int64_t floats = 0;
  for (const Segment& segment : program_.layout().segments()) floats += segment.size;
  return floats * training_->spec.optimizer.StateArrays();
}

void Model::ReadOptimizer(float* host) {
  if (!training_) return;
  const int64_t stride = program_.layout().trainable_floats();
  for (int array = 0; array < training_->spec.optimizer.StateArrays(); ++array) {
    for (const Segment& segment : program_.layout().segments()) {
      backend_->Download(host, training_->optimizer_state.As<float>() + array * stride + segment.offset,
                         FloatBytes(segment.size));
      host += segment.size;
    }
  }
}

void Model::WriteOptimizer(uint32_t iterations, const float* values, int64_t count) {
  training();
  if (count != OptimizerFloats()) {
    Reject("Expected " + std::to_string(OptimizerFloats()) + " floats of optimizer state but received " +
           std::to_string(count));
  }
  const int64_t stride = program_.layout().trainable_floats();
  for (int array = 0; array < training_->spec.optimizer.StateArrays(); ++array) {
    for (const Segment& segment : program_.layout().segments()) {
      backend_->Upload(training_->optimizer_state.As<float>() + array * stride + segment.offset, values,
                       FloatBytes(segment.size));
      values += segment.size;
    }
  }
  iterations_ = iterations;
}

Model::MemoryUse Model::Memory() const {
  return {.parameters = parameters_.bytes(),
          .gradients = gradients_.bytes(),
          .optimizer = training_ ? training_->optimizer_state.bytes() + training_->optimizer_scratch.bytes() : 0,
          .activations = arena_.bytes(),
          .data = resident_.bytes() + streamed_.feed_bytes()};
}

Execution& Model::Prepare(const ExecutionSetting& setting) {
  auto found = std::find_if(executions_.begin(), executions_.end(),
                            [&](const auto& execution) { return Serves(execution->setting(), setting); });
  std::unique_ptr<Execution> made;
  if (found == executions_.end()) made = std::make_unique<Execution>(*backend_, program_, setting);
  Execution& execution = made ? *made : **found;

  const bool grows = execution.ArenaBytes() > arena_.bytes();
  if (grows || made) ForgetSteps();
  if (grows) {
    const std::string what = "the activations at a batch size of " + std::to_string(execution.setting().chain.batch);
    arena_ = DeviceArray();
    arena_ = Allocate(execution.ArenaBytes(), what);
  }
  if (made) {
    ExecutionSetting any_batch = setting;
    any_batch.chain.batch = 0;
    std::erase_if(executions_, [&](const auto& old) { return Serves(old->setting(), any_batch); });
    executions_.push_back(std::move(made));
  }
  if (grows) {
    for (const auto& each : executions_) each->Bind(arena_.data(), parameters_.As<float>(), gradients());
  } else if (&execution == executions_.back().get()) {
    execution.Bind(arena_.data(), parameters_.As<float>(), gradients());
  }
  return execution;
}

void Model::ForgetSteps() {
  backend_->Synchronize();
  backend_->ForgetRecorded();
  known_steps_.clear();
}

uint64_t Model::KeyOf(const StepIdentity& step) {
  for (const KnownStep& known : known_steps_) {
    if (known.step == step) return known.key;
  }
  if (known_steps_.size() >= kMostKnownSteps) ForgetSteps();
  known_steps_.push_back({step, next_key_++});
  return known_steps_.back().key;
}

const float* Model::UploadClassWeights(const std::vector<float>& weights) {
  if (weights.empty()) return nullptr;
  const DeviceArray& device = training_->class_weights;
  if (FloatBytes(static_cast<int64_t>(weights.size())) != device.bytes()) {
    Reject("Expected " + std::to_string(device.bytes() / sizeof(float)) + " class weights but received " +
           std::to_string(weights.size()));
  }
  backend_->Upload(device.data(), weights.data(), device.bytes());
  return device.As<float>();
}

void Model::Update() {
  const ParameterLayout& layout = program_.layout();
  if (layout.trainable_floats() == 0) return;
  backend_->Update(training_->spec.optimizer, layout.trainable_floats(), parameters_.As<float>(), gradients(),
                   training_->optimizer_state.As<float>(), segments_.As<Segment>(),
                   static_cast<int64_t>(layout.segments().size()), training_->optimizer_scratch.data());
}

}  // namespace slim
