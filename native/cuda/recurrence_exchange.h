#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/ptx.h"

/// How the blocks of a team give each other what each step makes, so that all of them hold all of it.
///
/// Rounds are numbered from 1 through the life of the kernel; round r lives in buffer r % 2. A block writes its part of
/// round r + 2 after it has all of round r + 1, which its peers write after they have read round r: so two buffers are
/// enough, and no other barrier is needed.
namespace slim::cuda {

enum class TeamKind : uint8_t {
  kBlock,    // K2: one block, through its shared memory
  kCluster,  // K3: the blocks of a cluster, by stores into each other's shared memory that a barrier there counts
  kGrid,     // K4: any blocks that are resident together, through global memory and a flag for each block
};

/// A team and its memory.
struct TeamShape {
  // Of shared memory, before the buffers: the barriers, and what aligns the buffers as the memory is.
  static constexpr size_t kBarrierBytes = 128;
  static_assert(2 * sizeof(TransactionBarrier) <= kBarrierBytes);

  TeamKind kind;
  int blocks;       // of a team
  int sequences;    // of a tile, which a team walks at a time
  int vectors;      // rows that a sequence has in a round
  int row_stride;   // words from row to row in shared memory: those of a row, rounded up to what the lanes read
  int row_words;    // of a row that are exchanged: one for each unit, or for two of them in bfloat16
  float* states;    // kGrid: [teams, 2, sequences * vectors, GridRow(row_words)], zeros beyond row_words
  uint32_t* flags;  // kGrid: [teams, blocks], zeros at the start: the latest round of each

  /// Whether the blocks are a cluster's: below compute capability 9.0 the compiler knows that they are not.
  __host__ __device__ bool IsCluster() const {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 900
    return false;
#else
    return kind == TeamKind::kCluster;
#endif
  }
  __host__ __device__ int Rows() const { return sequences * vectors; }
  __host__ __device__ size_t BufferFloats() const {
    return static_cast<size_t>(Rows()) * static_cast<size_t>(row_stride);
  }
  /// Words from row to row of a grid's states: rows are copied in words of 16 bytes.
  __host__ __device__ static int GridRow(int words) { return (words + 3) / 4 * 4; }
  /// A grid's rounds wait in global memory, so that one buffer is enough.
  __host__ __device__ int Buffers() const { return kind == TeamKind::kGrid ? 1 : 2; }
  __host__ __device__ size_t SharedBytes() const {
    return kBarrierBytes + static_cast<size_t>(Buffers()) * BufferFloats() * sizeof(float);
  }
};

/// The value, of which the compiler knows nothing: addresses that depend on it are computed at each step instead of
/// being kept in registers that the weights need.
__device__ inline int Anew(int value) {
#if defined(__CUDA_ARCH__)
  asm volatile("" : "+r"(value));
#endif
  return value;
}

class TeamExchange {
 public:
  /// All threads of the block. Beyond the words that are exchanged the buffers' rows are zeros from now on.
  __device__ explicit TeamExchange(const TeamShape& shape) : shape_(shape) {
    unsigned char* shared = SharedMemory<unsigned char>();
    barriers_ = reinterpret_cast<TransactionBarrier*>(shared);
    buffers_ = reinterpret_cast<float*>(shared + TeamShape::kBarrierBytes);
    const size_t floats = static_cast<size_t>(shape.Buffers()) * shape.BufferFloats();
#pragma unroll 1
    for (size_t i = threadIdx.x; i < floats; i += blockDim.x) buffers_[i] = 0.0f;
    if (!shape.IsCluster()) {
      __syncthreads();
      return;
    }
    if (threadIdx.x == 0) {
      InitBarrier(&barriers_[0], 1);
      InitBarrier(&barriers_[1], 1);
      FenceBarrierInit();
      Expect(1);
      Expect(2);
    }
    __syncthreads();
    ClusterSync();
  }

  __device__ int Team() const { return static_cast<int>(blockIdx.x / static_cast<unsigned>(shape_.blocks)); }
  __device__ int Teams() const { return static_cast<int>(gridDim.x / static_cast<unsigned>(shape_.blocks)); }
  __device__ int BlockOfTeam() const { return static_cast<int>(blockIdx.x % static_cast<unsigned>(shape_.blocks)); }

  /// Writes one word of the next round, but not among the blocks of a cluster: a float, or what the engine's lanes take
  /// for one. Every word of every row is written by one thread of the team, once, before that thread waits.
  __device__ void Send(int row, int word, float value) {
    const int next = (round_ + 1) & 1;
    if (shape_.kind == TeamKind::kGrid) {
      __stcg(GridStates(next) + row * TeamShape::GridRow(shape_.row_words) + word, value);
      return;
    }
    float* at = Buffer(next) + static_cast<size_t>(row) * shape_.row_stride + word;
    *at = value;
  }

  /// Several words at once (float, float2 or float4), from `word` on, a multiple of their number: kCluster alone, where
  /// what a store costs, at its other end too, does not depend on its bytes. Of the `senders` lanes that have the
  /// words, lane number `sender` writes them to every `senders`-th block.
  template <class Words>
  __device__ void SendWords(int row, int word, const Words& words, int sender, int senders) {
    const int next = (round_ + 1) & 1;
    const float* at = Buffer(next) + static_cast<size_t>(row) * shape_.row_stride + word;
    for (int peer = sender; peer < shape_.blocks; peer += senders) SendTo(peer, next, at, words);
  }

  /// Waits for the next round and returns it: [sequences * vectors, row_stride] in shared memory.
  __device__ const float* Receive() {
    ++round_;
    if (shape_.kind == TeamKind::kGrid) {
      WaitForGrid();
      return buffers_;
    }
    if (shape_.IsCluster()) {
      WaitForCluster();
    } else {
      __syncthreads();
    }
    return Buffer(round_ & 1);
  }

 private:
  // Waits longer than this are no waits for work: a block is missing, and the launch ends with an error.
  static constexpr uint64_t kLongestWait = 20'000'000'000;

  __device__ float* Buffer(int which) const { return buffers_ + static_cast<size_t>(which) * shape_.BufferFloats(); }
  __device__ float* GridStates(int which) const {
    const size_t floats =
        static_cast<size_t>(shape_.Rows()) * static_cast<size_t>(TeamShape::GridRow(shape_.row_words));
    return shape_.states + (static_cast<size_t>(Team()) * 2 + static_cast<size_t>(which)) * floats;
  }

  template <class Words>
  __device__ void SendTo(int peer, int next, const float* at, const Words& words) {
    const ClusterAddress shared = PeerAddress(barriers_, static_cast<uint32_t>(peer));
    const auto bytes = reinterpret_cast<const unsigned char*>(at) - reinterpret_cast<const unsigned char*>(barriers_);
    StoreAsync(shared + static_cast<uint32_t>(bytes), words,
               shared + static_cast<uint32_t>(next) * static_cast<uint32_t>(sizeof(TransactionBarrier)));
  }

  __device__ void Expect(int round) {
    const int values = shape_.Rows() * shape_.row_words;
    ArriveExpecting(&barriers_[round & 1], static_cast<uint32_t>(values) * static_cast<uint32_t>(sizeof(float)));
  }

  __device__ void WaitForCluster() {
    const uint32_t parity = (static_cast<uint32_t>(round_) - 1) / 2 & 1;
    uint64_t start = 0;
    while (!PhaseIsOver(&barriers_[round_ & 1], parity)) CheckWait(start);
    if (threadIdx.x == 0) Expect(round_ + 2);
    __syncwarp();  // lanes may see the end of the phase one after the other; the matrix units want all of them
  }

  __device__ void WaitForGrid() {
    __syncthreads();  // all of the block's part is written
    uint32_t* flags = shape_.flags + static_cast<size_t>(Team()) * static_cast<size_t>(shape_.blocks);
    const uint32_t round = static_cast<uint32_t>(round_);
    // The barrier before it makes the release one of all that the block wrote.
    if (threadIdx.x == 0) StoreRelease(flags + BlockOfTeam(), round);
    uint64_t start = 0;
    for (int peer = static_cast<int>(threadIdx.x); peer < shape_.blocks; peer += static_cast<int>(blockDim.x)) {
      while (static_cast<int32_t>(LoadAcquire(flags + peer) - round) < 0) {
        Pause(20);
        CheckWait(start);
      }
    }
    __syncthreads();
    CopyGridRows(GridStates(round_ & 1));
    __syncthreads();
  }

  // Each warp copies whole rows; a lane has several loads on their way before it waits for the first.
  __device__ void CopyGridRows(const float* states) {
    constexpr int kLoads = 2;
    const int thread = Anew(static_cast<int>(threadIdx.x)), words = Anew(shape_.row_words), lane = thread % 32 * 4;
#pragma unroll 1
    for (int row = thread / 32; row < shape_.Rows(); row += static_cast<int>(blockDim.x / 32)) {
      const float* from = states + row * TeamShape::GridRow(words);
      float* to = buffers_ + row * shape_.row_stride;
#pragma unroll 1
      for (int first = lane; first < words; first += kLoads * 128) {
        float4 loaded[kLoads];
#pragma unroll
        for (int i = 0; i < kLoads; ++i) {
          if (first + i * 128 < words) loaded[i] = __ldcg(reinterpret_cast<const float4*>(from + first + i * 128));
        }
#pragma unroll
        for (int i = 0; i < kLoads; ++i) {
          if (first + i * 128 < words) *reinterpret_cast<float4*>(to + first + i * 128) = loaded[i];
        }
      }
    }
  }

  __device__ static void CheckWait(uint64_t& start) {
    const uint64_t now = GlobalNanoseconds();
    if (start == 0) start = now;
    if (now - start > kLongestWait) __trap();
  }

  const TeamShape& shape_;
  TransactionBarrier* barriers_;
  float* buffers_;
  int round_ = 0;
};

}  // namespace slim::cuda
