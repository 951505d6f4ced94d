#include "convolution_network.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace slim {
namespace {

constexpr int64_t kSteps = 1000;
constexpr int64_t kVocabulary = 20000;
constexpr int64_t kWidth = 100;
constexpr int64_t kFilters = 128;
constexpr int64_t kTaps = 5;
constexpr int64_t kPool = 5;
constexpr int kBlocksOfLayers = 3;
constexpr float kRate = 0.2f;

class DeviceFloats {
 public:
  DeviceFloats(Backend& backend, size_t count)
      : backend_(backend), data_(static_cast<float*>(backend.Allocate(count * sizeof(float)))) {
    backend.Zero(data_, count * sizeof(float));
  }
  ~DeviceFloats() { backend_.Free(data_); }
  DeviceFloats(const DeviceFloats&) = delete;
  DeviceFloats& operator=(const DeviceFloats&) = delete;

  float* get() const { return data_; }

 private:
  Backend& backend_;
  float* data_;
};

struct Timing {
  std::string name;
  double flops;
  std::vector<double> milliseconds;
  std::vector<double> processor_milliseconds;
};

class Timings {
 public:
  Timings(Backend& backend, int passes) : backend_(backend), passes_(passes) {}

  void Measure(const std::string& name, double flops, const std::function<void()>& run) {
    auto timing = std::find_if(timings_.begin(), timings_.end(), [&](const Timing& t) { return t.name == name; });
    if (timing == timings_.end()) timing = timings_.insert(timings_.end(), {name, flops, {}, {}});
    const auto key = static_cast<uint64_t>(timing - timings_.begin());
    backend_.Synchronize();
    const auto start = std::chrono::steady_clock::now();
    const std::clock_t processor_start = std::clock();
    backend_.Run(key, [&] {
      for (int pass = 0; pass < passes_; ++pass) run();
    });
    backend_.Synchronize();
    const std::clock_t processor = std::clock() - processor_start;
    const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
    timing->milliseconds.push_back(elapsed.count() / passes_);
    timing->processor_milliseconds.push_back(1e3 * static_cast<double>(processor) / CLOCKS_PER_SEC / passes_);
  }

  void Print(int64_t batch) {
    double total_least = 0, total_median = 0, total_processor = 0;
    std::printf("%-20s %10s %10s %10s %10s\n", "operation", "least ms", "median ms", "CPU ms", "GF/s");
    for (Timing& timing : timings_) {
      std::sort(timing.milliseconds.begin(), timing.milliseconds.end());
      const double least = timing.milliseconds.front();
      const double median = timing.milliseconds[timing.milliseconds.size() / 2];
      const double processor =
          *std::min_element(timing.processor_milliseconds.begin(), timing.processor_milliseconds.end());
      total_least += least;
      total_median += median;
      total_processor += processor;
      std::printf("%-20s %10.3f %10.3f %10.3f", timing.name.c_str(), least, median, processor);
      if (timing.flops > 0) std::printf(" %10.0f", timing.flops / least * 1e-6);
      std::printf("\n");
    }
    std::printf("%-20s %10.3f %10.3f %10.3f\n", "all", total_least, total_median, total_processor);
    const double posts = static_cast<double>(batch) * 1e3;
    std::printf("%-20s %10.0f %10.0f\n", "posts/s", posts / total_least, posts / total_median);
  }

 private:
  Backend& backend_;
  int passes_;
  std::vector<Timing> timings_;
};

std::vector<int32_t> MakePosts(int64_t batch, std::mt19937& random) {
  std::vector<double> frequency(kVocabulary - 1);
  for (size_t i = 0; i < frequency.size(); ++i) frequency[i] = 1.0 / static_cast<double>(i + 1);
  std::discrete_distribution<int32_t> word(frequency.begin(), frequency.end());
  std::lognormal_distribution<double> length(std::log(150.0), 0.95);
  std::vector<int32_t> tokens(static_cast<size_t>(batch * kSteps), 0);
  for (int64_t b = 0; b < batch; ++b) {
    const int64_t words = std::clamp<int64_t>(static_cast<int64_t>(length(random)), 5, kSteps);
    for (int64_t t = kSteps - words; t < kSteps; ++t) tokens[static_cast<size_t>(b * kSteps + t)] = word(random) + 1;
  }
  return tokens;
}

void FillUniform(Backend& backend, float* destination, size_t count, float limit, std::mt19937& random) {
  std::uniform_real_distribution<float> uniform(-limit, limit);
  std::vector<float> values(count);
  for (float& value : values) value = uniform(random);
  backend.Upload(destination, values.data(), count * sizeof(float));
}

// conv1d, maxPooling1d, dropout and what they keep.
struct Layers {
  Conv1dShape conv;
  MaxPoolShape pool;
  int64_t conv_floats, pool_floats, kernel_floats;
  DeviceFloats kernel, bias, dkernel, dbias, y, dy, pooled, dpooled, winners;

  Layers(Backend& backend, int64_t batch, int64_t steps, int64_t channels)
      : conv{steps, channels, kFilters, kTaps, 1, 1, 0, steps - kTaps + 1, Activation::kRelu},
        pool{conv.out_steps, kFilters, kPool, kPool, 0, conv.out_steps / kPool},
        conv_floats(batch * conv.out_steps * kFilters),
        pool_floats(batch * pool.out_steps * kFilters),
        kernel_floats(kTaps * channels * kFilters),
        kernel(backend, Size(kernel_floats)),
        bias(backend, kFilters),
        dkernel(backend, Size(kernel_floats)),
        dbias(backend, kFilters),
        y(backend, Size(conv_floats)),
        dy(backend, Size(conv_floats)),
        pooled(backend, Size(pool_floats)),
        dpooled(backend, Size(pool_floats)),
        winners(backend, Size(pool_floats)) {}

  static size_t Size(int64_t count) { return static_cast<size_t>(count); }
  int32_t* Winners() const { return reinterpret_cast<int32_t*>(winners.get()); }
};

}  // namespace

void TimeConvolutionNetwork(Backend& backend, int64_t batch, int repetitions, int passes) {
  std::printf("%s, batch %lld, %lld steps\n", backend.Description().c_str(), static_cast<long long>(batch),
              static_cast<long long>(kSteps));
  std::mt19937 random(7);

  DeviceFloats table(backend, static_cast<size_t>(kVocabulary * kWidth));
  FillUniform(backend, table.get() + kWidth, static_cast<size_t>((kVocabulary - 1) * kWidth), 0.7f, random);
  DeviceFloats tokens(backend, static_cast<size_t>(batch * kSteps));

  std::vector<std::unique_ptr<Layers>> layers;
  int64_t steps = kSteps, channels = kWidth;
  size_t scratch_bytes = 0;
  for (int i = 0; i < kBlocksOfLayers; ++i) {
    layers.push_back(std::make_unique<Layers>(backend, batch, steps, channels));
    Layers& layer = *layers.back();
    const float limit = std::sqrt(6.0f / static_cast<float>(kTaps * (channels + kFilters)));
    FillUniform(backend, layer.kernel.get(), static_cast<size_t>(layer.kernel_floats), limit, random);
    scratch_bytes = std::max(scratch_bytes, backend.Conv1dScratchBytes(layer.conv, batch, i == 0, true));
    steps = layer.pool.out_steps;
    channels = kFilters;
  }
  DeviceFloats scratch(backend, scratch_bytes / sizeof(float) + 1);
  std::printf("scratch %.1f MB\n", static_cast<double>(scratch_bytes) * 1e-6);
  DeviceFloats last_gradient(backend, static_cast<size_t>(layers.back()->pool_floats));
  FillUniform(backend, last_gradient.get(), static_cast<size_t>(layers.back()->pool_floats), 0.01f, random);

  Timings timings(backend, passes);
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    const std::vector<int32_t> posts = MakePosts(batch, random);
    backend.Upload(tokens.get(), posts.data(), posts.size() * sizeof(int32_t));
    StepValues step;
    step.seed = 3;
    step.step = static_cast<uint32_t>(repetition);
    backend.SetStep(step);

    const auto input_of = [&](int i) {
      SequenceInput input;
      if (i > 0) {
        input.x = layers[static_cast<size_t>(i) - 1]->pooled.get();
      } else {
        input.tokens = reinterpret_cast<const int32_t*>(tokens.get());
        input.table = table.get();
        input.vocabulary = kVocabulary;
      }
      return input;
    };
    for (int i = 0; i < kBlocksOfLayers; ++i) {
      Layers& layer = *layers[static_cast<size_t>(i)];
      const std::string number = " " + std::to_string(i + 1);
      const double flops =
          2.0 * static_cast<double>(layer.conv_floats) * static_cast<double>(kTaps * layer.conv.channels);
      timings.Measure("conv1d" + number, flops, [&] {
        backend.Conv1dForward(layer.conv, batch, input_of(i), {layer.kernel.get(), layer.bias.get()}, layer.y.get(),
                              scratch.get());
      });
      timings.Measure("pool" + number, 0, [&] {
        backend.MaxPoolForward(layer.pool, batch, layer.y.get(), layer.pooled.get(), layer.Winners());
      });
      timings.Measure("dropout" + number, 0, [&] {
        backend.Dropout(kRate, static_cast<uint32_t>(i), layer.pool_floats, layer.pooled.get(), layer.pooled.get());
      });
    }
    backend.Copy(layers.back()->dpooled.get(), last_gradient.get(),
                 static_cast<size_t>(layers.back()->pool_floats) * sizeof(float));
    for (int i = kBlocksOfLayers - 1; i >= 0; --i) {
      Layers& layer = *layers[static_cast<size_t>(i)];
      const std::string number = " " + std::to_string(i + 1);
      const double flops =
          2.0 * static_cast<double>(layer.conv_floats) * static_cast<double>(kTaps * layer.conv.channels);
      timings.Measure("dropout backward" + number, 0, [&] {
        backend.Dropout(kRate, static_cast<uint32_t>(i), layer.pool_floats, layer.dpooled.get(), layer.dpooled.get());
      });
      timings.Measure("pool backward" + number, 0, [&] {
        backend.MaxPoolBackward(layer.pool, batch, layer.Winners(), layer.dpooled.get(), layer.dy.get());
      });
      SequenceGradient dinput;
      if (i > 0) dinput.dx = layers[static_cast<size_t>(i) - 1]->dpooled.get();
      timings.Measure("conv1d backward" + number, i > 0 ? 2 * flops : flops, [&] {
        backend.Conv1dBackward(layer.conv, batch, input_of(i), {layer.kernel.get(), layer.bias.get()}, layer.y.get(),
                               layer.dy.get(), {layer.dkernel.get(), layer.dbias.get()}, dinput, scratch.get());
      });
    }
  }
  timings.Print(batch);
}

}  // namespace slim
