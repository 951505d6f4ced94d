// The CUDA device when things go wrong, and when several use it.

#include "cuda/cuda_backend.h"

#include <thread>

#include "caught.h"
#include "cuda/context.h"
#include "cuda/device_session.h"
#include "devices.h"
#include "emulation/emulator.h"
#include "errors.h"
#include "test.h"

namespace slim::test {
namespace {

TEST("a device tells what it is") {
  Bench bench(OpenCudaDevice(0));
  EXPECT_EQ(bench->Description(), "cuda:0 (Emulated GPU, compute capability 9.0)");
  EXPECT(!bench->ReadsHostMemory());
}

TEST("a device tells the precision that it computes in, where it is not float32") {
  EXPECT_EQ(OpenCudaDevice(0, Precision::kTf32)->Description(), "cuda:0 (Emulated GPU, compute capability 9.0, tf32)");
  EXPECT_EQ(OpenCudaDevice(0, Precision::kBfloat16)->Description(),
            "cuda:0 (Emulated GPU, compute capability 9.0, bfloat16)");
}

TEST("a device that there is not is an error that names those there are") {
  emulated::Restart();
  for (const int device : {-1, 1, 7}) {
    const std::string error = ErrorOf([&] { cuda::MakeCudaBackend(device, Precision::kFloat32); }).text;
    EXPECT_TELLS(error, "ERR_DEVICE: Expected a CUDA device from 0 to 0 but received " + std::to_string(device));
  }
}

TEST("memory that cannot be had is an error with sizes, and all else stays usable") {
  Bench bench(OpenCudaDevice(0));
  float* kept = bench.Put(RandomFloats(1000, 1));
  const std::string error = ErrorOf([&] { bench->Allocate(size_t{300} << 20); }).text;
  EXPECT_TELLS(error, "ERR_OUT_OF_MEMORY: Could not get 300 MB (314572800 bytes) of GPU memory");
  EXPECT_TELLS(error, "of 256 MB are free");
  EXPECT(bench.Get(kept, 1000) == RandomFloats(1000, 1));
}

TEST("a device that runs out of memory while it is opened gives back what it took") {
  for (int64_t count = 1; count <= 3; ++count) {
    emulated::Restart();
    emulated::FailAllocations(count);
    EXPECT_TELLS(ErrorOf([] { cuda::MakeCudaBackend(0, Precision::kFloat32); }).text, "ERR_OUT_OF_MEMORY");
    EXPECT_EQ(emulated::Counted().allocated, size_t{0});
  }
  // Restart fails where anything is left.
  emulated::Restart();
}

TEST("a device that is lost in a step is an error at the next wait; the process goes on with another device") {
  {
    Bench bench(OpenCudaDevice(1));
    const float* x = bench.Put(RandomFloats(64, 1));
    float* y = bench.Space(64);
    emulated::LoseDevice(2);
    const std::string error = ErrorOf([&] {
                                for (int step = 0; step < 4; ++step) {
                                  bench->ActivationForward(Activation::kTanh, 1, 64, x, y);
                                  bench->Synchronize();
                                }
                              }).text;
    EXPECT_TELLS(error, "ERR_DEVICE: Could not finish the work on the CUDA device: unspecified launch failure");
    EXPECT_TELLS(error, "this process can no longer use the device");
    EXPECT_TELLS(ErrorOf([&] { bench->Allocate(4); }).text, "ERR_DEVICE");
  }
  Bench again(OpenCudaDevice(0));
  float* values = again.Put(FloatArray{1, 2});
  EXPECT_EQ(again.Get(values, 2)[1], 2.0f);
}

TEST("a step that fails while it is recorded does nothing and can be enqueued again") {
  Bench bench(OpenCudaDevice(2));
  float* memory = bench.Put(FloatArray{1, 2, 3});
  struct Stop {};
  bench->Run(5, [] {});
  EXPECT_THROWS(bench->Run(5,
                           [&] {
                             bench->Zero(memory, 3 * sizeof(float));
                             throw Stop();
                           }),
                Stop);
  EXPECT_EQ(bench.Get(memory, 3)[2], 3.0f);
  bench->Run(5, [&] { bench->Zero(memory, 2 * sizeof(float)); });
  const FloatArray read = bench.Get(memory, 3);
  EXPECT_EQ(read[1], 0.0f);
  EXPECT_EQ(read[2], 3.0f);
}

// As NVIDIA's libraries do when they are first asked for something.
TEST("what allocates while a step is recorded does not break the record") {
  Bench bench(OpenCudaDevice(4));
  float* memory = bench.Put(FloatArray{1, 2});
  void* taken = nullptr;
  bench->Run(7, [] {});
  bench->Run(7, [&] {
    taken = bench->Allocate(16);
    bench->Zero(memory, sizeof(float));
  });
  const FloatArray read = bench.Get(memory, 2);
  EXPECT_EQ(read[0], 0.0f);
  EXPECT_EQ(read[1], 2.0f);
  bench->Free(taken);
}

TEST("what comes the second time is recorded, and from then on replayed, not enqueued") {
  Bench bench(OpenCudaDevice(3));
  float* memory = bench.Put(FloatArray{1});
  int enqueued = 0;
  for (int step = 0; step < 4; ++step) {
    bench->Run(9, [&] {
      ++enqueued;
      bench->Zero(memory, sizeof(float));
    });
  }
  bench->Synchronize();
  EXPECT_EQ(enqueued, 2);
  EXPECT_EQ(emulated::Counted().graph_launches, 3);
}

TEST("two models on one device do not disturb each other") {
  for (uint64_t seed = 0; seed < 6; ++seed) {
    Bench first(OpenCudaDevice(static_cast<int>(seed)));
    Bench second(cuda::MakeCudaBackend(0, Precision::kFloat32));
    const FloatArray x = RandomFloats(40 * 50, 1), kernel = RandomFloats(50 * 6, 2);
    const DenseShape shape{1, 50, 6, Activation::kLinear};
    FloatArray results[2];
    float* ys[2];
    Bench* benches[2] = {&first, &second};
    for (int i = 0; i < 2; ++i) {
      Bench& bench = *benches[i];
      const float* on_device = bench.Put(x);
      const float* weights = bench.Put(kernel);
      ys[i] = bench.Space(40 * 6);
      bench->DenseForward(shape, 40, on_device, weights, nullptr, ys[i], nullptr);
    }
    for (int i = 0; i < 2; ++i) results[i] = benches[i]->Get(ys[i], 40 * 6);
    EXPECT(results[0] == results[1]);
  }
}

TEST("a device may be used by another thread than opened it") {
  Bench bench(OpenCudaDevice(4));
  float* memory = bench.Put(FloatArray{5});
  float read = 0;
  std::thread([&] {
    bench->SetStep({.seed = 1, .step = 2});
    bench->Download(&read, memory, sizeof(read));
  }).join();
  EXPECT_EQ(read, 5.0f);
}

TEST("a card from before tf32 and bfloat16 computes in float32, and says so") {
  emulated::Card card;
  card.major = 7;
  card.minor = 5;
  const FloatArray x = RandomFloats(40 * 50, 1), kernel = RandomFloats(50 * 6, 2);
  const DenseShape shape{1, 50, 6, Activation::kLinear};
  const auto product = [&](Precision precision) {
    emulated::Restart(card, 0);
    Bench bench(cuda::MakeCudaBackend(0, precision));
    EXPECT_EQ(bench->Description(), "cuda:0 (Emulated GPU, compute capability 7.5)");
    float* y = bench.Space(40 * 6);
    bench->DenseForward(shape, 40, bench.Put(x), bench.Put(kernel), nullptr, y, nullptr);
    return bench.Get(y, 40 * 6);
  };
  const FloatArray exact = product(Precision::kFloat32);
  EXPECT(product(Precision::kTf32) == exact);
  EXPECT(product(Precision::kBfloat16) == exact);
}

TEST("some of a card's memory is kept back for what CUDA loads later, of a small card less") {
  const auto kept_back = [](size_t memory) {
    emulated::Card card;
    card.memory = memory;
    emulated::Restart(card, 0);
    Bench bench(cuda::MakeCudaBackend(0, Precision::kFloat32));
    return memory - emulated::Counted().allocated - bench->FreeBytes();
  };
  EXPECT_EQ(kept_back(size_t{64} << 20), size_t{4} << 20);
  EXPECT_EQ(kept_back(size_t{24} << 30), size_t{256} << 20);
  emulated::Restart();
}

TEST("a card with little memory gets by with a small workspace") {
  emulated::Card card;
  card.memory = 3 << 20;
  emulated::Restart(card, 0);
  const cuda::DeviceSession session(0, Precision::kFloat32);
  EXPECT_EQ(session.context().workspace_bytes, size_t{1} << 20);
  EXPECT_EQ(session.context().device.multiprocessors, 4);
}

}  // namespace
}  // namespace slim::test
