#include "cuda/conv1d_windows.h"

#include "cuda/conv1d.h"
#include "cuda/cublaslt.h"
#include "cuda/device_session.h"
#include "cuda/memory_operations.h"
#include "devices.h"
#include "test.h"

namespace slim::test {
namespace {

constexpr int64_t kVocabulary = 23;

struct Setting {
  bool embedded = false;
  bool biased = true;
  size_t l2_bytes = size_t{1} << 20;
};

// What the CPU's convolution does, by the functions that write windows out.
void RunOnWrittenWindows(Bench& bench, const cuda::CudaContext& context, const Conv1dShape& shape, int64_t batch,
                         const SequenceInput& input, const Conv1dWeights& weights, float* y, const float* dy,
                         float* dkernel, float* dx) {
  // As of a batch that is not the largest one.
  void* windows = bench.Scratch(cuda::WrittenWindowsBytes(context, shape, batch + 1));
  void* of_gradient = bench.Scratch(cuda::WrittenGradientWindowsBytes(context, shape, batch + 1));
  cuda::MultiplyWrittenWindows(context, shape, batch, input, weights, y, windows);
  cuda::WrittenKernelGradient(context, shape, batch, input, dy, dkernel, windows);
  if (dx != nullptr) cuda::WrittenInputGradient(context, shape, batch, weights.kernel, dy, dx, of_gradient);
  cuda::Synchronize(context);
}

void ExpectWritten(const Conv1dShape& shape, int64_t batch, const Setting& setting) {
  ExpectSameAsCpu([&](Bench& bench) {
    const int64_t rows = batch * shape.steps, outputs = batch * shape.out_steps * shape.filters;
    const int64_t kernel_size = shape.taps * shape.channels * shape.filters;
    SequenceInput input;
    if (setting.embedded) {
      input.tokens = bench.Put(RandomInts(rows, static_cast<int32_t>(kVocabulary), 1));
      input.table = bench.Put(RandomFloats(kVocabulary * shape.channels, 2));
      input.vocabulary = kVocabulary;
    } else {
      input.x = bench.Put(RandomFloats(rows * shape.channels, 2));
    }
    const Conv1dWeights weights{bench.Put(RandomFloats(kernel_size, 3, 0.3f)),
                                setting.biased ? bench.Put(RandomFloats(shape.filters, 4)) : nullptr};
    float* y = bench.Space(outputs);
    float* dy = bench.Put(RandomFloats(outputs, 5));
    float* dkernel = bench.Space(kernel_size);
    SequenceGradient dinput;
    if (!setting.embedded) dinput.dx = bench.Space(rows * shape.channels);
    if (bench->ReadsHostMemory()) {
      void* scratch = bench.Scratch(bench->Conv1dScratchBytes(shape, batch, setting.embedded, true));
      bench->Conv1dForward(shape, batch, input, weights, y, scratch);
      // The gradients are those of the pre-activations.
      Conv1dShape linear = shape;
      linear.activation = Activation::kLinear;
      bench->Conv1dBackward(linear, batch, input, weights, y, dy, {dkernel, nullptr}, dinput, scratch);
    } else {
      const cuda::DeviceSession session(0, Precision::kFloat32);
      cuda::CudaContext context = session.context();
      context.device.l2_bytes = setting.l2_bytes;
      RunOnWrittenWindows(bench, context, shape, batch, input, weights, y, dy, dkernel, dinput.dx);
    }
    Outputs results = {{"y", bench.Get(y, outputs)}, {"dkernel", bench.Get(dkernel, kernel_size)}};
    if (!setting.embedded) results.push_back({"dx", bench.Get(dinput.dx, rows * shape.channels)});
    return results;
  });
}

TEST("windows that are written out give what the CPU makes of them, by whatever padding, stride and dilation") {
  const Conv1dShape shapes[] = {
      {7, 3, 5, 3, 1, 1, 0, 5, Activation::kLinear},   {41, 8, 20, 5, 1, 1, 0, 37, Activation::kRelu},
      {20, 4, 8, 5, 1, 1, 2, 20, Activation::kRelu},   {20, 3, 5, 4, 1, 1, 3, 20, Activation::kLinear},
      {21, 4, 8, 3, 2, 1, 1, 11, Activation::kLinear}, {23, 3, 5, 3, 3, 2, 1, 7, Activation::kRelu},
      {30, 4, 4, 4, 1, 3, 9, 30, Activation::kLinear}, {2, 3, 5, 3, 1, 4, 8, 2, Activation::kRelu},
  };
  for (const Conv1dShape& shape : shapes) {
    ExpectWritten(shape, 3, {});
    ExpectWritten(shape, 3, {.embedded = true, .biased = false});
  }
}

TEST("windows that are written a part of the batch at a time give what those of the whole batch give") {
  const Conv1dShape shape{20, 4, 12, 5, 1, 1, 0, 16, Activation::kRelu};
  // Those of a sample are 1280 bytes, those of its gradient 4800.
  for (const size_t l2_bytes : {size_t{1}, size_t{2000}, size_t{3200}, size_t{12000}}) {
    ExpectWritten(shape, 5, {.l2_bytes = l2_bytes});
    ExpectWritten(shape, 5, {.embedded = true, .l2_bytes = l2_bytes});
  }
}

// It is asked for nothing here.
class NoProducts final : public cuda::CublasLt {
 public:
  bool Multiply(const cuda::ProductShape&, const cuda::ProductOperands&, void*, CUstream_st*) override { return false; }
};

TEST("windows are written out for cuBLASLt, in float32, where the product has columns enough") {
  NoProducts products;
  cuda::CudaContext context;
  EXPECT(!cuda::WritesWindows(context, 128));
  context.cublaslt = &products;
  EXPECT(cuda::WritesWindows(context, 128));
  EXPECT(cuda::WritesWindows(context, 96));
  EXPECT(!cuda::WritesWindows(context, 64));
  context.precision = Precision::kTf32;
  EXPECT(!cuda::WritesWindows(context, 128));
}

TEST("memory is planned for those windows alone that are written") {
  NoProducts products;
  cuda::CudaContext context;
  context.cublaslt = &products;
  context.device.l2_bytes = size_t{1} << 20;
  const Conv1dShape wide{20, 4, 128, 5, 1, 1, 0, 16, Activation::kRelu},
      narrow{20, 128, 4, 5, 1, 1, 0, 16, Activation::kRelu};
  for (const bool training : {false, true}) {
    EXPECT_EQ(cuda::Conv1dScratchBytes(context, wide, 6, false, training), cuda::WrittenWindowsBytes(context, wide, 6));
    EXPECT_EQ(cuda::Conv1dScratchBytes(context, narrow, 6, false, training),
              training ? cuda::WrittenGradientWindowsBytes(context, narrow, 6) : size_t{0});
  }
}

}  // namespace
}  // namespace slim::test
