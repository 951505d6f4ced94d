#include "cuda/device_session.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

#include "cuda/check.h"
#include "cuda/device_memory.h"
#include "cuda/precisions.h"
#include "errors.h"

namespace slim::cuda {
namespace {

DeviceLimits LimitsOf(int ordinal) {
  int count = 0;
  Check(cudaGetDeviceCount(&count), "count the devices");
  if (ordinal < 0 || ordinal >= count) {
    throw Error(ErrorCode::kDevice, "Expected a CUDA device from 0 to " + std::to_string(count - 1) + " but received " +
                                        std::to_string(ordinal));
  }
  cudaDeviceProp properties;
  Check(cudaGetDeviceProperties(&properties, ordinal), "read the properties");
  DeviceLimits limits;
  limits.ordinal = ordinal;
  limits.name = properties.name;
  limits.capability = properties.major * 10 + properties.minor;
  limits.multiprocessors = properties.multiProcessorCount;
  limits.threads_per_multiprocessor = properties.maxThreadsPerMultiProcessor;
  limits.registers_per_multiprocessor = properties.regsPerMultiprocessor;
  limits.shared_per_multiprocessor = properties.sharedMemPerMultiprocessor;
  limits.shared_per_block = properties.sharedMemPerBlockOptin;
  limits.memory = properties.totalGlobalMem;
  limits.l2_bytes = static_cast<size_t>(properties.l2CacheSize);
  limits.clusters = properties.clusterLaunch != 0;
  return limits;
}

Precision PrecisionOn(const DeviceLimits& device, Precision asked) {
  const std::vector<Precision> there = PrecisionsOf(device.capability);
  return std::find(there.begin(), there.end(), asked) == there.end() ? Precision::kFloat32 : asked;
}

std::string KernelAsked() {
  const char* kernel = std::getenv("SLIM_LSTM_KERNEL");
  return kernel == nullptr ? "" : kernel;
}

bool TellsKernels() {
  const char* log = std::getenv("SLIM_LSTM_LOG");
  return log != nullptr && std::string_view(log).find("kernels") != std::string_view::npos;
}

// cuBLASLt asks for a fixed size. Our own kernels make do with less where the device has little.
size_t WorkspaceBytes(const DeviceLimits& device, const CublasLt* cublaslt) {
  constexpr size_t kLeast = size_t{1} << 20;
  if (cublaslt != nullptr) return CublasLt::kWorkspaceBytes;
  return std::clamp(device.memory / 1024, kLeast, CublasLt::kWorkspaceBytes);
}

}  // namespace

DeviceSession::DeviceSession(int ordinal, Precision precision) {
  context_.device = LimitsOf(ordinal);
  context_.precision = PrecisionOn(context_.device, precision);
  context_.kernel_asked = KernelAsked();
  context_.tells_kernels = TellsKernels();
  Enter();
  LimitDeviceMemory();
  try {
    Check(cudaStreamCreateWithFlags(&context_.stream, cudaStreamNonBlocking), "create a stream");
    constexpr size_t kTicketBytes = CudaContext::kTickets * sizeof(uint32_t);
    context_.step = step_values_ = static_cast<StepValues*>(AllocateDeviceMemory(sizeof(StepValues)));
    context_.tickets = static_cast<uint32_t*>(AllocateDeviceMemory(kTicketBytes));
    cublaslt_ = CublasLt::Make(context_.precision);
    context_.cublaslt = cublaslt_.get();
    context_.workspace_bytes = WorkspaceBytes(context_.device, context_.cublaslt);
    context_.workspace = AllocateDeviceMemory(context_.workspace_bytes);
    Check(cudaMemsetAsync(context_.tickets, 0, kTicketBytes, context_.stream), "clear memory");
    Check(cudaMemsetAsync(step_values_, 0, sizeof(StepValues), context_.stream), "clear memory");
  } catch (...) {
    Release();
    throw;
  }
}

DeviceSession::~DeviceSession() { Release(); }

// Nothing more can be done about an error here: a device that is lost gives nothing back.
void DeviceSession::Release() noexcept {
  static_cast<void>(cudaSetDevice(context_.device.ordinal));
  if (context_.stream != nullptr) static_cast<void>(cudaStreamSynchronize(context_.stream));
  cudnn_.reset();
  cublaslt_.reset();
  FreeDeviceMemory(context_.workspace);
  FreeDeviceMemory(context_.tickets);
  FreeDeviceMemory(step_values_);
  if (context_.stream != nullptr) static_cast<void>(cudaStreamDestroy(context_.stream));
}

void DeviceSession::OpenCudnn() {
  if (cudnn_ != nullptr) return;
  Enter();
  cudnn_ = CudnnLstm::Make(context_.precision);
  if (cudnn_ == nullptr) {
    throw Error(ErrorCode::kDevice, "The implementation 'cudnn' cannot be used: " + CudnnLibrary().reason);
  }
  context_.cudnn = cudnn_.get();
}

void DeviceSession::Enter() const {
  int current = -1;
  if (cudaGetDevice(&current) == cudaSuccess && current == context_.device.ordinal) return;
  Check(cudaSetDevice(context_.device.ordinal), "choose the device");
}

}  // namespace slim::cuda
