#include "cuda/check.h"
#include "cuda/launch.h"
#include "cuda/memory_operations.h"

namespace slim::cuda {
namespace {

constexpr int kThreads = 256;

// Rows are moved in words: the widest that row length and addresses allow.
template <class Word>
__global__ void __launch_bounds__(kThreads) GatherKernel(const Word* source, int64_t row_words, const int32_t* order,
                                                         const StepValues* step, int64_t rows, Word* destination) {
  const int32_t* first = step == nullptr ? order : order + step->first_row;
  const int64_t words = rows * row_words;
  const int64_t stride = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < words; i += stride) {
    const int64_t row = i / row_words;
    destination[i] = source[first[row] * row_words + (i - row * row_words)];
  }
}

__global__ void __launch_bounds__(kThreads) TokenMaskKernel(const int32_t* tokens, int64_t count, uint8_t* mask) {
  const int64_t stride = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += stride) mask[i] = tokens[i] != 0;
}

template <class Word>
void GatherWords(const CudaContext& context, const void* source, size_t row_bytes, const int32_t* order,
                 const StepValues* step, int64_t rows, void* destination) {
  const auto row_words = static_cast<int64_t>(row_bytes / sizeof(Word));
  const unsigned int blocks = BlocksFor(rows * row_words, kThreads, context.device.multiprocessors);
  Launch(&GatherKernel<Word>, {.grid = blocks, .block = kThreads}, context.stream, static_cast<const Word*>(source),
         row_words, order, step, rows, static_cast<Word*>(destination));
}

void Gather(const CudaContext& context, const void* source, size_t row_bytes, const int32_t* order,
            const StepValues* step, int64_t rows, void* destination) {
  if (rows == 0 || row_bytes == 0) return;
  const size_t alignment = reinterpret_cast<uintptr_t>(source) | reinterpret_cast<uintptr_t>(destination) | row_bytes;
  const auto gather = alignment % sizeof(uint4) == 0      ? &GatherWords<uint4>
                      : alignment % sizeof(uint32_t) == 0 ? &GatherWords<uint32_t>
                                                          : &GatherWords<uint8_t>;
  gather(context, source, row_bytes, order, step, rows, destination);
}

}  // namespace

void Upload(const CudaContext& context, void* destination, const void* host, size_t bytes) {
  if (bytes == 0) return;
  Check(cudaMemcpyAsync(destination, host, bytes, cudaMemcpyHostToDevice, context.stream), "copy to the device");
  // The host's memory may be reused now, which CUDA promises for pageable memory alone.
  Synchronize(context);
}

void Download(const CudaContext& context, void* host, const void* source, size_t bytes) {
  if (bytes != 0) {
    Check(cudaMemcpyAsync(host, source, bytes, cudaMemcpyDeviceToHost, context.stream), "copy from the device");
  }
  Synchronize(context);
}

void Zero(const CudaContext& context, void* memory, size_t bytes) {
  if (bytes == 0) return;
  Check(cudaMemsetAsync(memory, 0, bytes, context.stream), "clear memory");
}

void Copy(const CudaContext& context, void* destination, const void* source, size_t bytes) {
  if (bytes == 0) return;
  Check(cudaMemcpyAsync(destination, source, bytes, cudaMemcpyDeviceToDevice, context.stream), "copy memory");
}

void Synchronize(const CudaContext& context) { Check(cudaStreamSynchronize(context.stream), "finish the work"); }

void GatherRows(const CudaContext& context, const void* source, size_t row_bytes, const int32_t* order, int64_t rows,
                void* destination) {
  Gather(context, source, row_bytes, order, context.step, rows, destination);
}

void GatherFloatRows(const CudaContext& context, const float* source, int64_t width, const int32_t* indices,
                     int64_t rows, float* destination) {
  Gather(context, source, static_cast<size_t>(width) * sizeof(float), indices, nullptr, rows, destination);
}

void TokenMask(const CudaContext& context, const int32_t* tokens, int64_t count, uint8_t* mask) {
  if (count == 0) return;
  const unsigned int blocks = BlocksFor(count, kThreads, context.device.multiprocessors);
  Launch(&TokenMaskKernel, {.grid = blocks, .block = kThreads}, context.stream, tokens, count, mask);
}

}  // namespace slim::cuda
