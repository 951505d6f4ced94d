// GF/s of the CPU's products, beside the peer's in the same run.
//
//   bench_gemm [--threads N,N...] [--samples N] [--only TEXT] [--pin] [--cpu-time] [--json]
//   bench_gemm --names
//
// Every shape has several sets of fresh random operands, together larger than a core's caches, that the calls go
// through in turn. Samples of ours and of the peer's alternate; the table shows medians and, as spread, the distance of
// the quartiles in percent of the median; `ratio` compares medians, `of best` the fastest samples, which other load on
// the machine touches least. `packed` is a product whose right operand was packed before, as the weights are in a
// training step; `+pack` packs it within the measured time. The peer gets dense rows where ours overlap. With --json
// each row is an object of its own line instead. --names tells the names of the shapes, which --only takes parts of.

#include <sched.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "cpu/dispatch.h"
#include "cpu/memory.h"
#include "cpu/product.h"
#include "peer.h"
#include "thread_pool.h"

namespace {

using slim::AlignedBuffer;

constexpr double kSampleSeconds = 0.02;
constexpr size_t kRotatedBytes = size_t{24} << 20;

// Threads of a peer that spin for work after a call would take the cores from the next sample.
constexpr std::chrono::milliseconds kRest{8};

struct Shape {
  const char* name;
  size_t rows;     // M: rows of a, those of all runs together
  size_t columns;  // N
  size_t depth;    // K
  size_t runs;     // the rows of a run may overlap
  size_t stride;   // floats from row to row within a run
};

constexpr Shape kProducts[] = {
    {"product 64x512, K 128", 64, 512, 128, 1, 128},
    {"product 64x1024, K 256", 64, 1024, 256, 1, 256},
    {"product 32x2048, K 512", 32, 2048, 512, 1, 512},
    {"product 996x128, K 500, dense", 996, 128, 500, 1, 500},
    {"product 996x128, K 500, overlapping", 996, 128, 500, 1, 100},
    {"product 128*996x128, K 500, overlapping", 128 * 996, 128, 500, 128, 100},
    {"product 8192x512, K 128", 8192, 512, 128, 1, 128},
    {"product 32x2048, K 2048", 32, 2048, 2048, 1, 2048},
};

constexpr Shape kGradients[] = {
    {"gradient 128x512, 8192 rows", 8192, 512, 128, 1, 128},
    {"gradient 128x128, 8192 rows", 8192, 128, 128, 1, 128},
    {"gradient 512x2048, 8192 rows", 8192, 2048, 512, 1, 512},
    {"gradient 500x128, 996 rows, dense", 996, 128, 500, 1, 500},
    {"gradient 500x128, 128*996 rows, dense", 128 * 996, 128, 500, 1, 500},
    {"gradient 500x128, 128*996 rows, overlapping", 128 * 996, 128, 500, 128, 100},
};

AlignedBuffer RandomFloats(size_t count, uint32_t seed) {
  AlignedBuffer buffer(count * sizeof(float));
  std::minstd_rand random(seed);
  for (size_t i = 0; i < count; ++i) buffer.floats()[i] = static_cast<float>(random()) * 9.3e-10f - 1.0f;
  return buffer;
}

// What the samples are timed with: the wall clock, or with --cpu-time what the process itself got of its core, which is
// of use for a single thread on a machine that others use too.
clockid_t sample_clock = CLOCK_MONOTONIC;

double Now() {
  timespec time;
  clock_gettime(sample_clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double Seconds(const std::function<void(size_t)>& call, size_t calls, size_t& turn) {
  const double begin = Now();
  for (size_t i = 0; i < calls; ++i) call(turn++);
  return (Now() - begin) / static_cast<double>(calls);
}

struct Summary {
  double median;
  double spread;  // percent
  double best;
  double worst;
};

Summary Summarise(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double q) {
    return values[static_cast<size_t>(q * static_cast<double>(values.size() - 1) + 0.5)];
  };
  return {at(0.5), 100 * (at(0.75) - at(0.25)) / at(0.5), values.front(), values.back()};
}

// Times the calls in turn, `samples` times each.
std::vector<Summary> Time(const std::vector<std::function<void(size_t)>>& calls, int samples) {
  std::vector<size_t> repeats;
  std::vector<size_t> turns(calls.size(), 0);
  for (size_t i = 0; i < calls.size(); ++i) {
    Seconds(calls[i], 2, turns[i]);
    repeats.push_back(std::max<size_t>(1, static_cast<size_t>(kSampleSeconds / Seconds(calls[i], 3, turns[i]))));
  }
  std::vector<std::vector<double>> seconds(calls.size());
  for (int sample = 0; sample < samples; ++sample) {
    for (size_t i = 0; i < calls.size(); ++i) {
      std::this_thread::sleep_for(kRest);
      Seconds(calls[i], 1, turns[i]);
      seconds[i].push_back(Seconds(calls[i], repeats[i], turns[i]));
    }
  }
  std::vector<Summary> summaries;
  for (const auto& values : seconds) summaries.push_back(Summarise(values));
  return summaries;
}

struct Operands {
  AlignedBuffer a;      // as ours reads it
  AlignedBuffer dense;  // as the peer reads it; empty: the same
  AlignedBuffer b;
  AlignedBuffer packed;
  AlignedBuffer c;

  const float* Dense() const { return dense.bytes() == 0 ? a.floats() : dense.floats(); }
};

size_t RunRows(const Shape& shape) { return shape.rows / shape.runs; }

// Floats of one run: overlapping rows end together.
size_t RunFloats(const Shape& shape) { return (RunRows(shape) - 1) * shape.stride + shape.depth; }

AlignedBuffer MakeDense(const Shape& shape, const AlignedBuffer& a) {
  if (shape.stride == shape.depth || peer::Name().empty()) return {};
  AlignedBuffer dense(shape.rows * shape.depth * sizeof(float));
  for (size_t row = 0; row < shape.rows; ++row) {
    const float* from = a.floats() + row / RunRows(shape) * RunFloats(shape) + row % RunRows(shape) * shape.stride;
    std::memcpy(dense.floats() + row * shape.depth, from, shape.depth * sizeof(float));
  }
  return dense;
}

size_t Sets(size_t floats) { return std::clamp<size_t>(kRotatedBytes / (floats * sizeof(float)), 2, 64); }

// Sets of operands that take turns: `b_floats` and `c_floats` of the second operand and of the result.
std::vector<Operands> RandomOperands(const Shape& shape, size_t b_floats, size_t c_floats) {
  const size_t a_floats = shape.runs * RunFloats(shape);
  std::vector<Operands> operands(Sets(a_floats + b_floats + c_floats));
  uint32_t seed = 1;
  for (Operands& set : operands) {
    set.a = RandomFloats(a_floats, seed++);
    set.dense = MakeDense(shape, set.a);
    set.b = RandomFloats(b_floats, seed++);
    set.c = RandomFloats(c_floats, seed++);
  }
  return operands;
}

double Gigaflop(const Shape& shape) {
  return 2.0 * static_cast<double>(shape.rows) * static_cast<double>(shape.columns) * static_cast<double>(shape.depth) *
         1e-9;
}

// `times` are ours, then others of ours, and at the end the peer's where there is one.
using ReportRow = void (*)(const Shape& shape, int threads, const std::vector<Summary>& times, int samples,
                           bool has_peer);

void PrintRow(const Shape& shape, int threads, const std::vector<Summary>& times, int, bool has_peer) {
  const double work = Gigaflop(shape);
  std::printf("%-44s %2d", shape.name, threads);
  for (const Summary& time : times) std::printf("  %7.1f (%4.1f%%)", work / time.median, time.spread);
  if (has_peer) {
    std::printf("  %5.2f  %5.2f", times.back().median / times.front().median, times.back().best / times.front().best);
  }
  std::printf("\n");
  std::fflush(stdout);
}

void PrintJsonRow(const Shape& shape, int threads, const std::vector<Summary>& times, int samples, bool has_peer) {
  const double work = Gigaflop(shape);
  const auto print = [&](const char* name, const Summary& time) {
    std::printf(", \"%s\": {\"median\": %.1f, \"least\": %.1f, \"largest\": %.1f, \"runs\": %d}", name,
                work / time.median, work / time.worst, work / time.best, samples);
  };
  std::printf("{\"name\": \"%s\", \"threads\": %d", shape.name, threads);
  print("ours", times.front());
  if (has_peer) print("peer", times.back());
  std::printf("}\n");
  std::fflush(stdout);
}

void TimeProduct(const Shape& shape, slim::ThreadPool& pool, int samples, ReportRow report) {
  std::vector<Operands> operands = RandomOperands(shape, shape.depth * shape.columns, shape.rows * shape.columns);
  const size_t sets = operands.size();
  for (Operands& set : operands) {
    set.packed = AlignedBuffer(slim::PackedSize(shape.depth, shape.columns) * sizeof(float));
    slim::Pack(set.b.floats(), shape.columns, shape.depth, shape.columns, set.packed.floats());
  }
  const auto multiply = [&](Operands& set, const slim::PackedMatrix& packed) {
    slim::Product product;
    product.a = {set.a.floats(), shape.stride, RunRows(shape), RunFloats(shape), nullptr};
    product.rows = shape.rows;
    product.b = packed;
    product.c = set.c.floats();
    product.c_stride = shape.columns;
    slim::Multiply(product, pool);
  };
  const slim::PackedMatrix layout =
      slim::Pack(operands[0].b.floats(), shape.columns, shape.depth, shape.columns, operands[0].packed.floats());
  std::vector<std::function<void(size_t)>> calls;
  calls.emplace_back([&](size_t turn) {
    Operands& set = operands[turn % sets];
    slim::PackedMatrix packed = layout;
    packed.data = set.packed.floats();
    multiply(set, packed);
  });
  calls.emplace_back([&](size_t turn) {
    Operands& set = operands[turn % sets];
    multiply(set, slim::Pack(set.b.floats(), shape.columns, shape.depth, shape.columns, set.packed.floats()));
  });
  if (!peer::Name().empty()) {
    calls.emplace_back([&](size_t turn) {
      Operands& set = operands[turn % sets];
      peer::Multiply(false, static_cast<long>(shape.rows), static_cast<long>(shape.columns),
                     static_cast<long>(shape.depth), set.Dense(), set.b.floats(), set.c.floats());
    });
  }
  report(shape, pool.threads(), Time(calls, samples), samples, !peer::Name().empty());
}

void TimeGradient(const Shape& shape, slim::ThreadPool& pool, int samples, ReportRow report) {
  std::vector<Operands> operands = RandomOperands(shape, shape.rows * shape.columns, shape.depth * shape.columns);
  const size_t sets = operands.size();
  AlignedBuffer scratch(slim::WeightGradientScratchBytes(shape.depth, shape.columns, shape.rows, pool.threads()));
  std::vector<slim::RowRun> runs(shape.runs);
  std::vector<std::function<void(size_t)>> calls;
  calls.emplace_back([&](size_t turn) {
    Operands& set = operands[turn % sets];
    for (size_t run = 0; run < shape.runs; ++run) {
      runs[run] = {set.a.floats() + run * RunFloats(shape), set.b.floats() + run * RunRows(shape) * shape.columns,
                   RunRows(shape)};
    }
    slim::WeightGradient gradient;
    gradient.runs = runs.data();
    gradient.run_count = runs.size();
    gradient.a_stride = shape.stride;
    gradient.dy_stride = shape.columns;
    gradient.depth = shape.depth;
    gradient.columns = shape.columns;
    gradient.dw = set.c.floats();
    gradient.dw_stride = shape.columns;
    slim::ComputeWeightGradient(gradient, pool, scratch.data());
  });
  if (!peer::Name().empty()) {
    calls.emplace_back([&](size_t turn) {
      Operands& set = operands[turn % sets];
      peer::Multiply(true, static_cast<long>(shape.depth), static_cast<long>(shape.columns),
                     static_cast<long>(shape.rows), set.Dense(), set.b.floats(), set.c.floats());
    });
  }
  report(shape, pool.threads(), Time(calls, samples), samples, !peer::Name().empty());
}

struct Options {
  std::vector<int> threads;
  int samples = 15;
  std::string only;
  bool pin = false;
  bool cpu_time = false;
  bool json = false;
  bool names = false;
};

Options ParseOptions(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    const auto value = [&]() -> std::string {
      if (i + 1 < argc) return argv[++i];
      std::fprintf(stderr, "Expected a value for %s\n", name.c_str());
      std::exit(2);
    };
    if (name == "--cpu-time") {
      options.cpu_time = true;
    } else if (name == "--json") {
      options.json = true;
    } else if (name == "--names") {
      options.names = true;
    } else if (name == "--pin") {
      options.pin = true;
    } else if (name == "--samples") {
      options.samples = std::max(1, std::atoi(value().c_str()));
    } else if (name == "--only") {
      options.only = value();
    } else if (name == "--threads") {
      const std::string list = value();
      for (size_t at = 0; at < list.size();
           at = list.find(',', at) == std::string::npos ? list.size() : list.find(',', at) + 1) {
        options.threads.push_back(std::max(1, std::atoi(list.c_str() + at)));
      }
    } else {
      std::fprintf(stderr,
                   "Expected --threads, --samples, --only, --pin, --cpu-time, --json or --names but received %s\n",
                   name.c_str());
      std::exit(2);
    }
  }
  if (options.cpu_time) {
    sample_clock = CLOCK_PROCESS_CPUTIME_ID;
    options.threads = {1};
  }
  if (options.threads.empty()) {
    options.threads.push_back(1);
    const int cores = static_cast<int>(std::thread::hardware_concurrency());
    if (cores > 1) options.threads.push_back(cores);
  }
  return options;
}

// Keeps the process, and so the single thread of a single-core run, on core 0.
void PinToFirstCore() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(0, &cores);
  if (sched_setaffinity(0, sizeof(cores), &cores) != 0) std::perror("sched_setaffinity");
}

void PrintTitle(const Options& options) {
  std::printf("instruction set: %s; peer: %s; GF/s, median (quartile distance) of %d samples\n",
              slim::NameOf(slim::ChosenCpuTarget()), peer::Name().empty() ? "none" : peer::Name().c_str(),
              options.samples);
}

void PrintHeads(const char* ours) {
  std::printf("%-44s %2s  %s  %-15s  ratio  of best\n", "", "th", ours, peer::Name().empty() ? "" : "peer");
}

void PrintNames() {
  for (const Shape& shape : kProducts) std::printf("%s\n", shape.name);
  for (const Shape& shape : kGradients) std::printf("%s\n", shape.name);
}

void TimeShapes(const Options& options, slim::ThreadPool& pool, ReportRow report, void (*heads)(const char* ours)) {
  const auto wanted = [&](const Shape& shape) {
    return std::string(shape.name).find(options.only) != std::string::npos;
  };
  heads("packed           +pack          ");
  for (const Shape& shape : kProducts) {
    if (wanted(shape)) TimeProduct(shape, pool, options.samples, report);
  }
  heads("ours           ");
  for (const Shape& shape : kGradients) {
    if (wanted(shape)) TimeGradient(shape, pool, options.samples, report);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = ParseOptions(argc, argv);
  if (options.names) {
    PrintNames();
    return 0;
  }
  if (options.pin) PinToFirstCore();
  if (!options.json) PrintTitle(options);
  for (const int threads : options.threads) {
    slim::ThreadPool pool(threads);
    peer::UseThreads(threads);
    if (options.json) {
      TimeShapes(options, pool, PrintJsonRow, [](const char*) {});
    } else {
      TimeShapes(options, pool, PrintRow, PrintHeads);
    }
  }
  return 0;
}
