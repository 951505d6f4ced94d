#include "cuda/device_memory.h"

#include <cuda_runtime.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string_view>

#include "cuda/check.h"
#include "errors.h"

namespace slim::cuda {
namespace {

constexpr char kLimitVariable[] = "SLIM_LSTM_DEVICE_MEMORY";

/// What the environment lets this process take of each device.
size_t LimitOfEnvironment() {
  const char* value = std::getenv(kLimitVariable);
  if (value == nullptr || *value == 0) return SIZE_MAX;
  const std::string_view text = value;
  size_t bytes = 0;
  const auto [end, status] = std::from_chars(text.begin(), text.end(), bytes);
  if (status == std::errc{} && end == text.end() && bytes > 0) return bytes;
  throw Error(ErrorCode::kInvalidArgument, std::string("Expected a positive integer, a number of bytes, for ") +
                                               kLimitVariable + " but received " + value);
}

/// What this process holds of its devices' memory, and may hold.
class Ledger {
 public:
  void Limit(int device, size_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    accounts_[device].limit = bytes;
  }

  /// Claims the bytes, or throws Error (kOutOfMemory).
  void Claim(int device, size_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto& [limit, taken] = accounts_[device];
    if (bytes > limit || taken > limit - bytes) FailAllocationByLimit(kLimitVariable, bytes, taken, limit);
    taken += bytes;
  }
  void GiveBack(int device, size_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    accounts_[device].taken -= bytes;
  }

  void Enter(void* memory, int device, size_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    blocks_[memory] = {device, bytes};
  }
  void Strike(void* memory) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto block = blocks_.find(memory);
    if (block == blocks_.end()) return;
    accounts_[block->second.device].taken -= block->second.bytes;
    blocks_.erase(block);
  }

  size_t Left(int device) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto& [limit, taken] = accounts_[device];
    return limit - std::min(limit, taken);
  }

 private:
  struct Account {
    size_t limit = SIZE_MAX;
    size_t taken = 0;
  };
  struct Block {
    int device;
    size_t bytes;
  };

  std::mutex mutex_;
  std::map<int, Account> accounts_;
  std::map<void*, Block> blocks_;
};

Ledger& TheLedger() {
  // Never destroyed: a model may outlive the process's static objects.
  static auto* ledger = new Ledger;
  return *ledger;
}

int CurrentDevice() {
  int device = 0;
  Check(cudaGetDevice(&device), "tell which it is");
  return device;
}

}  // namespace

void LimitDeviceMemory() { TheLedger().Limit(CurrentDevice(), LimitOfEnvironment()); }

void* AllocateDeviceMemory(size_t bytes) {
  if (bytes == 0) return nullptr;
  const int device = CurrentDevice();
  TheLedger().Claim(device, bytes);
  void* memory = nullptr;
  const cudaError_t error = cudaMalloc(&memory, bytes);
  if (error != cudaSuccess) {
    TheLedger().GiveBack(device, bytes);
    FailAllocation(error, bytes);
  }
  TheLedger().Enter(memory, device, bytes);
  return memory;
}

void FreeDeviceMemory(void* memory) noexcept {
  if (memory == nullptr) return;
  // First, as another thread may be given the address once it is free.
  TheLedger().Strike(memory);
  // An error is one of the work before, which whoever waits for it is told.
  static_cast<void>(cudaFree(memory));
}

size_t FreeDeviceBytes() {
  size_t free = 0, total = 0;
  Check(cudaMemGetInfo(&free, &total), "tell the free memory");
  // Of a small device less, as it has to do with less.
  constexpr size_t kKeptBack = size_t{256} << 20;
  const size_t kept_back = std::min(kKeptBack, total / 16);
  return std::min(free - std::min(free, kept_back), TheLedger().Left(CurrentDevice()));
}

}  // namespace slim::cuda
