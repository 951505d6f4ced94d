// oneDNN's LSTM primitive in training, as a contestant of `bench/peers.mjs`.
//
//   bench_lstm_primitive T,B,m,n [FOLDER]
//
// Reads a line from standard input for each turn, `time N`, and answers with a JSON object of N times, in milliseconds,
// of a training step: weights into the primitive's own layout (they change with every update), forward pass, backward
// pass with the gradients of weights and biases. The primitive has no way to leave out the gradient of its input.
//
// With FOLDER, `check` answers with the largest difference between its gradients and those of the files there, each
// relative to the largest element: x [B, T, m], y [B, n], kernel [m, 4 n], recurrent_kernel [n, 4 n], bias [4 n] and
// the gradients gradient_kernel, gradient_recurrent_kernel, gradient_bias of the mean squared error of the last state,
// all float32 with the ending .f32. The gates stand in the same order on both sides: i, f, c, o.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include "dnnl.hpp"

namespace {

using dnnl::memory;
using Tag = memory::format_tag;

struct Sizes {
  memory::dim steps, batch, inputs, units;
};

memory::desc Floats(const memory::dims& dims, Tag tag) { return {dims, memory::data_type::f32, tag}; }

float* Data(const memory& array) { return static_cast<float*>(array.get_data_handle()); }

size_t Count(const memory& array) { return array.get_desc().get_size() / sizeof(float); }

void FillUniform(const memory& array, float scale, std::minstd_rand& random) {
  std::uniform_real_distribution<float> uniform(-scale, scale);
  std::generate_n(Data(array), Count(array), [&] { return uniform(random); });
}

std::vector<float> ReadFloats(const std::string& path, size_t count) {
  std::vector<float> values(count);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(count * sizeof(float)));
  if (!file) throw std::runtime_error("Expected " + std::to_string(count) + " floats in " + path);
  return values;
}

class Layer {
 public:
  explicit Layer(const Sizes& sizes) : sizes_(sizes), engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    const auto [t, b, m, n] = sizes;
    const memory::desc layer = Floats({t, b, m}, Tag::tnc), out = Floats({t, b, n}, Tag::tnc);
    const memory::desc state = Floats({1, 1, b, n}, Tag::ldnc);
    const memory::desc w_any = Floats({1, 1, m, 4, n}, Tag::any), u_any = Floats({1, 1, n, 4, n}, Tag::any);
    const memory::desc bias = Floats({1, 1, 4, n}, Tag::ldgo);
    const auto direction = dnnl::rnn_direction::unidirectional_left2right;

    const dnnl::lstm_forward::desc forward(dnnl::prop_kind::forward_training, direction, layer, state, state, w_any,
                                           u_any, bias, out, state, state);
    const dnnl::lstm_forward::primitive_desc forward_desc(forward, engine_);
    const dnnl::lstm_backward::desc backward(dnnl::prop_kind::backward, direction, layer, state, state, w_any, u_any,
                                             bias, out, state, state, layer, state, state, w_any, u_any, bias, out,
                                             state, state);
    const dnnl::lstm_backward::primitive_desc backward_desc(backward, engine_, forward_desc);
    forward_ = dnnl::lstm_forward(forward_desc);
    backward_ = dnnl::lstm_backward(backward_desc);

    kernel_ = memory(Floats({1, 1, m, 4, n}, Tag::ldigo), engine_);
    recurrent_ = memory(Floats({1, 1, n, 4, n}, Tag::ldigo), engine_);
    dkernel_ = memory(kernel_.get_desc(), engine_);
    drecurrent_ = memory(recurrent_.get_desc(), engine_);
    forward_kernel_ = memory(forward_desc.weights_layer_desc(), engine_);
    forward_recurrent_ = memory(forward_desc.weights_iter_desc(), engine_);
    backward_kernel_ = memory(backward_desc.weights_layer_desc(), engine_);
    backward_recurrent_ = memory(backward_desc.weights_iter_desc(), engine_);
    backward_dkernel_ = memory(backward_desc.diff_weights_layer_desc(), engine_);
    backward_drecurrent_ = memory(backward_desc.diff_weights_iter_desc(), engine_);

    const auto make = [&](int name, const memory::desc& desc) {
      memory array(desc, engine_);
      std::fill_n(Data(array), Count(array), 0.0f);
      arguments_.insert_or_assign(name, array);
    };
    make(DNNL_ARG_SRC_LAYER, layer), make(DNNL_ARG_SRC_ITER, state), make(DNNL_ARG_SRC_ITER_C, state);
    make(DNNL_ARG_BIAS, bias), make(DNNL_ARG_DIFF_BIAS, bias);
    make(DNNL_ARG_DST_LAYER, out), make(DNNL_ARG_DST_ITER, state), make(DNNL_ARG_DST_ITER_C, state);
    make(DNNL_ARG_DIFF_SRC_LAYER, layer), make(DNNL_ARG_DIFF_SRC_ITER, state), make(DNNL_ARG_DIFF_SRC_ITER_C, state);
    make(DNNL_ARG_DIFF_DST_LAYER, out), make(DNNL_ARG_DIFF_DST_ITER, state), make(DNNL_ARG_DIFF_DST_ITER_C, state);
    make(DNNL_ARG_WORKSPACE, forward_desc.workspace_desc());

    std::minstd_rand random(7);
    FillUniform(At(DNNL_ARG_SRC_LAYER), 1.0f, random);
    FillUniform(At(DNNL_ARG_BIAS), 0.3f, random);
    FillUniform(At(DNNL_ARG_DIFF_DST_ITER), 1.0f, random);
    FillUniform(kernel_, 0.1f, random);
    FillUniform(recurrent_, 0.05f, random);
  }

  void Forward() {
    dnnl::reorder(kernel_, forward_kernel_).execute(stream_, kernel_, forward_kernel_);
    dnnl::reorder(recurrent_, forward_recurrent_).execute(stream_, recurrent_, forward_recurrent_);
    arguments_.insert_or_assign(DNNL_ARG_WEIGHTS_LAYER, forward_kernel_);
    arguments_.insert_or_assign(DNNL_ARG_WEIGHTS_ITER, forward_recurrent_);
    forward_.execute(stream_, arguments_);
    stream_.wait();
  }

  void Backward() {
    dnnl::reorder(kernel_, backward_kernel_).execute(stream_, kernel_, backward_kernel_);
    dnnl::reorder(recurrent_, backward_recurrent_).execute(stream_, recurrent_, backward_recurrent_);
    arguments_.insert_or_assign(DNNL_ARG_WEIGHTS_LAYER, backward_kernel_);
    arguments_.insert_or_assign(DNNL_ARG_WEIGHTS_ITER, backward_recurrent_);
    // The primitive adds to the gradients that it finds.
    for (const memory& gradient : {backward_dkernel_, backward_drecurrent_, At(DNNL_ARG_DIFF_BIAS)}) {
      std::fill_n(Data(gradient), Count(gradient), 0.0f);
    }
    arguments_.insert_or_assign(DNNL_ARG_DIFF_WEIGHTS_LAYER, backward_dkernel_);
    arguments_.insert_or_assign(DNNL_ARG_DIFF_WEIGHTS_ITER, backward_drecurrent_);
    backward_.execute(stream_, arguments_);
    dnnl::reorder(backward_dkernel_, dkernel_).execute(stream_, backward_dkernel_, dkernel_);
    dnnl::reorder(backward_drecurrent_, drecurrent_).execute(stream_, backward_drecurrent_, drecurrent_);
    stream_.wait();
  }

  double LargestDifference(const std::string& folder) {
    const auto [t, b, m, n] = sizes_;
    const std::vector<float> x = ReadFloats(folder + "/x.f32", static_cast<size_t>(b * t * m));
    for (memory::dim row = 0; row < b; ++row) {
      for (memory::dim step = 0; step < t; ++step) {
        std::copy_n(x.data() + (row * t + step) * m, m, Data(At(DNNL_ARG_SRC_LAYER)) + (step * b + row) * m);
      }
    }
    Load(folder + "/kernel.f32", kernel_);
    Load(folder + "/recurrent_kernel.f32", recurrent_);
    Load(folder + "/bias.f32", At(DNNL_ARG_BIAS));
    Forward();
    const std::vector<float> y = ReadFloats(folder + "/y.f32", static_cast<size_t>(b * n));
    const float* h = Data(At(DNNL_ARG_DST_ITER));
    float* dh = Data(At(DNNL_ARG_DIFF_DST_ITER));
    for (size_t i = 0; i < y.size(); ++i) dh[i] = 2.0f * (h[i] - y[i]) / static_cast<float>(y.size());
    Backward();
    return std::max({Difference(folder + "/gradient_kernel.f32", dkernel_),
                     Difference(folder + "/gradient_recurrent_kernel.f32", drecurrent_),
                     Difference(folder + "/gradient_bias.f32", At(DNNL_ARG_DIFF_BIAS))});
  }

 private:
  const memory& At(int name) const { return arguments_.at(name); }

  static void Load(const std::string& path, const memory& array) {
    const std::vector<float> values = ReadFloats(path, Count(array));
    std::copy(values.begin(), values.end(), Data(array));
  }

  static double Difference(const std::string& path, const memory& array) {
    const std::vector<float> expected = ReadFloats(path, Count(array));
    float largest = 0.0f, difference = 0.0f;
    for (size_t i = 0; i < expected.size(); ++i) {
      largest = std::max(largest, std::abs(expected[i]));
      difference = std::max(difference, std::abs(expected[i] - Data(array)[i]));
    }
    return difference / largest;
  }

  Sizes sizes_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  dnnl::lstm_forward forward_;
  dnnl::lstm_backward backward_;
  memory kernel_, recurrent_, dkernel_, drecurrent_;  // [m, 4 n], [n, 4 n]
  memory forward_kernel_, forward_recurrent_, backward_kernel_, backward_recurrent_;
  memory backward_dkernel_, backward_drecurrent_;
  std::unordered_map<int, memory> arguments_;
};

double MillisecondsOfStep(Layer& layer) {
  const auto begin = std::chrono::steady_clock::now();
  layer.Forward();
  layer.Backward();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

void Time(Layer& layer, int samples) {
  MillisecondsOfStep(layer);
  std::printf("{\"milliseconds\": [");
  for (int sample = 0; sample < samples; ++sample) {
    std::printf("%s%.4f", sample == 0 ? "" : ", ", MillisecondsOfStep(layer));
  }
  std::printf("]}\n");
}

int Main(int count, char** arguments) {
  long long t, b, m, n;
  if (count < 2 || std::sscanf(arguments[1], "%lld,%lld,%lld,%lld", &t, &b, &m, &n) != 4) {
    std::fprintf(stderr, "Expected T,B,m,n\n");
    return 2;
  }
  Layer layer({t, b, m, n});
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string call;
    int samples = 1;
    words >> call >> samples;
    if (call == "time") {
      Time(layer, std::max(samples, 1));
    } else if (call == "check" && count > 2) {
      std::printf("{\"difference\": %.3g}\n", layer.LargestDifference(arguments[2]));
    } else if (call == "describe") {
      const dnnl_version_t* version = dnnl_version();
      std::printf("{\"oneDNN\": \"%d.%d.%d\"}\n", version->major, version->minor, version->patch);
    } else {
      std::printf("{\"error\": \"Expected time, check or describe\"}\n");
    }
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    return Main(count, arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
