#include "cuda_runtime_on_host.h"

#include <cstring>

namespace slim::test {
namespace {

cudaError_t lost_by = cudaSuccess;

}  // namespace

LostDevice::LostDevice(cudaError_t error) { lost_by = error; }
LostDevice::~LostDevice() { lost_by = cudaSuccess; }

}  // namespace slim::test

extern "C" {

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t) {
  std::memcpy(to, from, bytes);
  return cudaSuccess;
}

cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width,
                              size_t height, cudaMemcpyKind, cudaStream_t) {
  for (size_t row = 0; row < height; ++row) {
    std::memcpy(static_cast<char*>(to) + row * to_pitch, static_cast<const char*>(from) + row * from_pitch, width);
  }
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t) {
  std::memset(to, value, bytes);
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  *free = *total = 0;
  return slim::test::lost_by;
}

cudaError_t cudaGetLastError() { return slim::test::lost_by; }
const char* cudaGetErrorString(cudaError_t) { return "a failure"; }
const char* cudaGetErrorName(cudaError_t) { return "its name"; }
cudaError_t cudaFuncGetName(const char**, const void*) { return cudaErrorNotSupported; }
}
