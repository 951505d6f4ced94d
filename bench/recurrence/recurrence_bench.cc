// Times the recurrence of every variant: forward, and forward with backward (without the input's gradient), in
// milliseconds, GFLOP/s and realised saving, which is
//   (time of LSTM / time of the variant) / (FLOPs of LSTM / FLOPs of the variant).
//
//   recurrence_bench [--threads=1] [--repeats=9] [--sizes=T,B,m,n ...] [--variant=LSTM3 ...] [--sequences] [--dx]
//                    [--dropout=rate] [--recurrent-dropout=rate] [--tokens=vocabulary] [--padding=share] [--mask]
//                    [--cpu-time]
//
// With --tokens the layer stands behind an embedding of that many words, drawn by Zipf's law; it is frozen but for
// --dx, which asks for the gradient of its table. With --padding that share of the positions is padded at the front
// with a word of its own, as the lengths of reviews have it; with --mask the sequences have lengths between a quarter
// of T and T, and the steps before them are masked.
// With --cpu-time the time is the process's on all its threads, not the clock's on the wall: it tells the work done on
// a machine that others use too.
//
// Data are random and fresh for every run of a round; the variants take turns within a round. Shown are the median and
// the minimum of the rounds.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include "backend.h"
#include "cpu/memory.h"
#include "cpu/recurrence.h"
#include "thread_pool.h"

namespace slim {
namespace {

struct Sizes {
  int64_t steps, batch, inputs, units;
};

struct Options {
  int threads = 1;
  int repeats = 9;
  bool sequences = false;
  bool dx = false;
  bool cpu_time = false;
  bool mask = false;
  int64_t tokens = 0;
  double padding = 0.0;
  float dropout = 0.0f;
  float recurrent_dropout = 0.0f;
  std::vector<Sizes> sizes;
  std::vector<std::string> variants;
};

BlockTerms Terms(bool input, RecurrentTerm recurrent, bool bias) {
  BlockTerms terms;
  terms.input = input, terms.recurrent = recurrent, terms.bias = bias;
  return terms;
}

BlockTerms Constant(float value) {
  BlockTerms terms;
  terms.constant = true, terms.value = value;
  return terms;
}

struct Variant {
  std::string name;
  Cell cell;
};

std::vector<Variant> Variants() {
  constexpr RecurrentTerm kNone = RecurrentTerm::kNone, kFull = RecurrentTerm::kFull, kDiag = RecurrentTerm::kDiagonal;
  const BlockTerms full = Terms(true, kFull, true), diagonal = Terms(true, kDiag, true), one = Constant(1.0f);
  const auto make = [](const char* name, BlockTerms i, BlockTerms f, BlockTerms c, BlockTerms o) {
    Variant variant;
    variant.name = name;
    variant.cell.blocks[kInputGate] = i, variant.cell.blocks[kForgetGate] = f;
    variant.cell.blocks[kCandidate] = c, variant.cell.blocks[kOutputGate] = o;
    return variant;
  };
  const auto same = [&](const char* name, BlockTerms gate, BlockTerms c) { return make(name, gate, gate, c, gate); };
  return {same("LSTM", full, full),
          same("LSTM1", Terms(false, kFull, true), full),
          same("LSTM2", Terms(false, kFull, false), full),
          same("LSTM3", Terms(false, kNone, true), full),
          same("LSTM4", Terms(false, kDiag, false), full),
          same("LSTM5", Terms(false, kDiag, true), full),
          make("LSTM4a", Terms(false, kDiag, false), Constant(0.96f), full, one),
          make("LSTM5a", Terms(false, kDiag, true), Constant(0.96f), full, one),
          make("LSTM6", one, Constant(0.4f), full, one),
          same("LSTM10", Terms(false, kDiag, false), diagonal),
          same("LSTM11", Terms(false, kDiag, true), diagonal),
          make("LSTM_C6", one, Constant(0.4f), diagonal, one)};
}

double MatrixMacs(const Cell& cell, const Sizes& sizes) {
  const double m = static_cast<double>(sizes.inputs), n = static_cast<double>(sizes.units);
  return (cell.InputBlocks() * m + cell.FullBlocks() * n) * n * static_cast<double>(sizes.steps * sizes.batch);
}

class Layer {
 public:
  Layer(const Variant& variant, const Sizes& sizes, const Options& options)
      : name(variant.name), sizes_(sizes), options_(options) {
    shape_.cell = variant.cell;
    shape_.steps = sizes.steps, shape_.inputs = sizes.inputs, shape_.units = sizes.units;
    shape_.return_sequences = options.sequences;
    shape_.input_dropout = options.dropout, shape_.recurrent_dropout = options.recurrent_dropout;
    shape_.input_stream = 1, shape_.recurrent_stream = 2;
    const Cell& cell = shape_.cell;
    const size_t n = static_cast<size_t>(sizes.units);
    const size_t m = static_cast<size_t>(sizes.inputs), positions = static_cast<size_t>(sizes.batch * sizes.steps);
    rows_ = static_cast<size_t>(sizes.batch) * (options.sequences ? static_cast<size_t>(sizes.steps) : 1);
    if (options.tokens > 0) {
      tokens_.resize(positions);
      Fill(table_, static_cast<size_t>(options.tokens) * m, 1.0f);
    } else {
      x_.resize(positions * m);
    }
    Fill(kernel_, m * static_cast<size_t>(cell.InputBlocks()) * n, 0.1f);
    Fill(recurrent_, n * static_cast<size_t>(cell.FullBlocks()) * n, 0.05f);
    Fill(diagonal_, static_cast<size_t>(cell.DiagonalBlocks()) * n, 0.3f);
    Fill(bias_, static_cast<size_t>(cell.BiasBlocks()) * n, 0.3f);
    Fill(dh_, rows_ * n, 1.0f);
    h_.resize(rows_ * n), dx_.resize(options.dx ? x_.size() : 0), dtable_.resize(options.dx ? table_.size() : 0);
    dkernel_ = kernel_, drecurrent_ = recurrent_, ddiagonal_ = diagonal_, dbias_ = bias_;
    const bool embedded = options.tokens > 0;
    cache_ = AlignedBuffer(RecurrenceCacheBytes(shape_, sizes.batch, embedded));
    scratch_ = AlignedBuffer(RecurrenceScratchBytes(shape_, sizes.batch, embedded, true, options.threads));
    std::memset(cache_.data(), 0, cache_.bytes());
    std::memset(scratch_.data(), 0, scratch_.bytes());
  }

  void Run(ThreadPool& pool) {
    SequenceInput input;
    if (options_.tokens > 0) {
      for (int64_t b = 0; b < sizes_.batch; ++b) DrawText(tokens_.data() + b * sizes_.steps);
      input.tokens = tokens_.data(), input.table = table_.data(), input.vocabulary = options_.tokens;
    } else {
      Fill(x_, x_.size(), 1.0f);
      input.x = x_.data();
    }
    if (options_.mask) FillMask();
    const uint8_t* mask = options_.mask ? mask_.data() : nullptr;
    const RecurrenceWeights weights = {kernel_.data(), recurrent_.data(), diagonal_.data(), bias_.data()};
    const auto start = Milliseconds();
    RecurrenceForward(pool, {}, shape_, sizes_.batch, input, mask, weights, {h_.data(), sizes_.units}, cache_.data(),
                      scratch_.data());
    const auto middle = Milliseconds();
    SequenceGradient dinput;
    dinput.dx = dx_.empty() ? nullptr : dx_.data();
    dinput.dtable = dtable_.empty() ? nullptr : dtable_.data();
    RecurrenceBackward(
        pool, {}, shape_, sizes_.batch, input, mask, weights, {dh_.data(), sizes_.units}, cache_.data(),
        {dkernel_.data(), drecurrent_.empty() ? nullptr : drecurrent_.data(), ddiagonal_.data(), dbias_.data()}, dinput,
        scratch_.data());
    const auto end = Milliseconds();
    forward.push_back(middle - start);
    both.push_back(end - start);
  }

  double ForwardFlops() const { return 2.0 * MatrixMacs(shape_.cell, sizes_); }
  double Flops() const {
    // The backward pass has the gradients of W and U and that of h; that of x where it is asked for.
    const double n = static_cast<double>(sizes_.units), m = static_cast<double>(sizes_.inputs);
    const double dx = shape_.cell.InputBlocks() * m * n * static_cast<double>(sizes_.steps * sizes_.batch);
    return 3.0 * ForwardFlops() - (options_.dx ? 0.0 : 2.0 * dx);
  }

  std::string name;
  std::vector<double> forward, both;

 private:
  double Milliseconds() const {
    timespec now;
    clock_gettime(options_.cpu_time ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
  }

  double Next() { return static_cast<double>(random_()) / 2147483647.0; }

  // Words by their ranks. The rank's logarithm is uniform, by Zipf's law; a word of the text before comes again more
  // often than that.
  void DrawText(int32_t* text) {
    constexpr double kRepeated = 0.25;
    const int64_t first = options_.padding > 0.0 ? sizes_.steps - DrawLength() : 0;
    std::fill_n(text, first, 0);
    for (int64_t t = first; t < sizes_.steps; ++t) {
      if (t > first && Next() < kRepeated) {
        text[t] = text[first + static_cast<int64_t>(Next() * 0.999 * static_cast<double>(t - first))];
      } else {
        const double rank = std::pow(static_cast<double>(options_.tokens), Next());
        text[t] = static_cast<int32_t>(std::min(static_cast<int64_t>(rank), options_.tokens - 1));
      }
    }
  }

  // Reviews of films have log-normal lengths: of those of IMDB, cut at 500 words, half have more than 180.
  int64_t DrawLength() {
    constexpr double kDeviation = 0.72, kMedianOfMean = 0.84;
    const double mean = (1.0 - options_.padding) * static_cast<double>(sizes_.steps);
    const double u = std::max(Next(), 1e-9), angle = 2.0 * 3.14159265358979 * Next();
    const double normal = std::sqrt(-2.0 * std::log(u)) * std::cos(angle);
    const double length = kMedianOfMean * mean * std::exp(kDeviation * normal);
    return std::clamp<int64_t>(static_cast<int64_t>(length), 1, sizes_.steps);
  }

  void FillMask() {
    mask_.assign(static_cast<size_t>(sizes_.batch * sizes_.steps), 0);
    for (int64_t b = 0; b < sizes_.batch; ++b) {
      const int64_t first = static_cast<int64_t>(0.75 * Next() * static_cast<double>(sizes_.steps));
      std::fill(mask_.begin() + b * sizes_.steps + first, mask_.begin() + (b + 1) * sizes_.steps, uint8_t{1});
    }
  }

  void Fill(std::vector<float>& values, size_t count, float scale) {
    values.resize(count);
    for (float& value : values) value = scale * (static_cast<float>(random_() >> 8) / 8388608.0f - 1.0f);
  }

  RecurrenceShape shape_;
  Sizes sizes_;
  Options options_;
  size_t rows_ = 0;
  std::minstd_rand random_{7};
  std::vector<int32_t> tokens_;
  std::vector<uint8_t> mask_;
  std::vector<float> table_, x_, kernel_, recurrent_, diagonal_, bias_, dh_, h_, dx_;
  std::vector<float> dkernel_, drecurrent_, ddiagonal_, dbias_, dtable_;
  AlignedBuffer cache_, scratch_;
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double Least(const std::vector<double>& values) { return *std::min_element(values.begin(), values.end()); }

void RunSizes(const Sizes& sizes, const Options& options, ThreadPool& pool) {
  std::vector<Layer> layers;
  for (const Variant& variant : Variants()) {
    const bool wanted = options.variants.empty() || std::find(options.variants.begin(), options.variants.end(),
                                                              variant.name) != options.variants.end();
    if (wanted) layers.emplace_back(variant, sizes, options);
  }
  for (int round = 0; round <= options.repeats; ++round) {
    for (Layer& layer : layers) {
      layer.Run(pool);
      if (round == 0) layer.forward.clear(), layer.both.clear();
    }
  }
  std::printf("T %lld  B %lld  m %lld  n %lld  threads %d\n", static_cast<long long>(sizes.steps),
              static_cast<long long>(sizes.batch), static_cast<long long>(sizes.inputs),
              static_cast<long long>(sizes.units), options.threads);
  std::printf("  %-8s %20s %8s %20s %8s %8s %8s\n", "", "forward ms med (min)", "GF/s", "both ms med (min)", "GF/s",
              "speed-up", "saving");
  const Layer& first = layers.front();
  for (const Layer& layer : layers) {
    const double f = Least(layer.forward), b = Least(layer.both);
    const double speedup = Least(first.both) / b;
    std::printf("  %-8s %11.2f (%6.2f) %8.1f %11.2f (%6.2f) %8.1f %8.2f %8.2f\n", layer.name.c_str(),
                Median(layer.forward), f, layer.ForwardFlops() / f / 1e6, Median(layer.both), b,
                layer.Flops() / b / 1e6, speedup, speedup / (first.Flops() / layer.Flops()));
  }
}

Options Parse(int count, char** arguments) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    const auto value = [&](const char* name) -> const char* {
      const size_t length = std::strlen(name);
      return argument.compare(0, length, name) == 0 ? argument.c_str() + length : nullptr;
    };
    if (const char* text = value("--threads=")) {
      options.threads = std::atoi(text);
    } else if (const char* text = value("--repeats=")) {
      options.repeats = std::max(std::atoi(text), 1);
    } else if (const char* text = value("--variant=")) {
      options.variants.push_back(text);
    } else if (const char* text = value("--dropout=")) {
      options.dropout = std::strtof(text, nullptr);
    } else if (const char* text = value("--recurrent-dropout=")) {
      options.recurrent_dropout = std::strtof(text, nullptr);
    } else if (const char* text = value("--tokens=")) {
      options.tokens = std::atoll(text);
    } else if (const char* text = value("--padding=")) {
      options.padding = std::strtod(text, nullptr);
    } else if (const char* text = value("--sizes=")) {
      long long t, b, m, n;
      if (std::sscanf(text, "%lld,%lld,%lld,%lld", &t, &b, &m, &n) != 4) {
        std::fprintf(stderr, "Expected --sizes=T,B,m,n but received %s\n", text);
        std::exit(2);
      }
      options.sizes.push_back({t, b, m, n});
    } else if (argument == "--sequences") {
      options.sequences = true;
    } else if (argument == "--mask") {
      options.mask = true;
    } else if (argument == "--cpu-time") {
      options.cpu_time = true;
    } else if (argument == "--dx") {
      options.dx = true;
    } else {
      std::fprintf(stderr, "Unknown option %s\n", argument.c_str());
      std::exit(2);
    }
  }
  if (options.sizes.empty()) options.sizes = {{128, 64, 128, 128}, {128, 64, 100, 256}, {256, 32, 128, 512}};
  return options;
}

}  // namespace
}  // namespace slim

int main(int count, char** arguments) {
  const slim::Options options = slim::Parse(count, arguments);
  slim::ThreadPool pool(options.threads);
  for (const slim::Sizes& sizes : options.sizes) slim::RunSizes(sizes, options, pool);
}
