#pragma once

#include <cstdint>

#include "cuda/recurrence_team_lane.h"

/// The engine of the team kernels on the matrix units: operands rounded to tf32 or bfloat16, sums in float32.
///
/// A group of warps owns 16 units, or 32. Each of its warps multiplies one block's weights of these units, for one
/// slice of the depth, with the vectors of 8 sequences at a time: the weights are the left operand and stay in
/// registers from the first step to the last, the vectors are the right one. Every warp leaves its sums in shared
/// memory, where the lane that owns a unit of a sequence adds up what belongs together. So a lane ends with all blocks
/// of its unit, one kernel serves any number of blocks, with and without recurrent dropout, and both passes differ only
/// in which way they read U.
///
/// Words. A row of a round is exchanged and read as words of 32 bits that are rounded once, by the sender: one element
/// in tf32, two neighbours in bfloat16. Two tiles of the product take 16 words of the depth, a chunk. Lane (g, t), g =
/// lane / 4 and t = lane % 4, reads words 4t to 4t + 3 of sequence g at once: the right operands of the first tile and
/// of the second. The order of a sum's terms is free as long as the weights have the same.
namespace slim::cuda {

struct Tf32Format {
  using TileA = Tf32TileA;
  using TileB = Tf32TileB;
  static constexpr int kElements = 1;  // of a word
};

struct Bf16Format {
  using TileA = Bf16TileA;
  using TileB = Bf16TileB;
  static constexpr int kElements = 2;
};

/// What the choice of a team knows of an engine.
struct MatrixLimits {
  static constexpr int kColumns = 8;           // sequences of a tile of the product
  static constexpr int kChunkWords = 16;       // of the depth
  static constexpr int kBatchWords = 64;       // chunks are read in batches of four
  static constexpr int kClusterWords = 4;      // that a block of a cluster sends at once
  static constexpr int kWeightRegisters = 64;  // of a lane: half of those that it has
  static constexpr int kMostThreads = 512;
  static constexpr int kMostWarps = kMostThreads / 32;

  static constexpr int GroupUnits(int row_tiles) { return 16 * row_tiles; }
  /// Batches of the depth that a warp holds.
  static constexpr int Batches(int row_tiles) { return 2 / row_tiles; }
  /// Batches of all slices: whole slices, or the one that a short row has.
  static constexpr int RowBatches(int words, int row_tiles) {
    const int batches = (words + kBatchWords - 1) / kBatchWords, of_slice = Batches(row_tiles);
    return batches == 1 ? 1 : (batches + of_slice - 1) / of_slice * of_slice;
  }
  /// Words from row to row of the vectors: eight lanes that read 16 bytes each, of two rows, meet no bank twice.
  static constexpr int RowStride(int batches) { return batches * kBatchWords + 16; }
  /// Words from sequence to sequence of a warp's sums: 32 lanes that write one each meet no bank twice.
  static constexpr int SumStride(int group_units) { return group_units + 4; }
};

template <class Format, int kRowTiles>
class MatrixEngine {
 public:
  static constexpr int kMostThreads = MatrixLimits::kMostThreads;
  static constexpr bool kDrops = true;
  using Sums = BlockValues<float>;

  __device__ static TeamLane Own(const TeamLaunch& launch, int block_of_team) {
    return TeamLane::Of(launch, block_of_team, launch.group_warps, kUnits);
  }

  /// `sums`: shared memory for each warp's [sequences, SumStride].
  __device__ MatrixEngine(const TeamLaunch& launch, const CellPlan& cell, const TeamLane& own,
                          const RecurrentWeights& recurrent, float* sums)
      : launch_(launch), cell_(cell), own_(own), sums_(sums) {
    NeedMatrixUnits();
    const int position = own.warp / launch.slices, slice = own.warp % launch.slices;
    const int first_batch = slice * kBatches;
    const int vector = launch.team.vectors == 1 ? 0 : position;
    first_word_ = vector * launch.team.sequences * launch.team.row_stride + first_batch * MatrixLimits::kBatchWords;
#pragma unroll
    for (int batch = 0; batch < kBatches; ++batch) {
#pragma unroll
      for (int chunk = 0; chunk < kChunks; ++chunk) {
        LoadChunk(recurrent, position,
                  (first_batch + batch) * MatrixLimits::kBatchWords + chunk * MatrixLimits::kChunkWords,
                  weights_[batch][chunk]);
      }
    }
  }

  /// The sums of the lane's own unit and sequence, which are zeros before, of a round's vectors [vectors, sequences,
  /// row_stride]. Whole groups; between two calls all of the group's lanes that `wanted` the former one's sums have
  /// sent what came of them.
  __device__ void Multiply(const float* vectors, bool wanted, Sums& sums) const {
    const int sequences = Anew(launch_.team.sequences), thread = Anew(static_cast<int>(threadIdx.x));
    const int lane = thread % 32;
    const int row_stride = launch_.team.row_stride;
    float* to = sums_ + thread / 32 * sequences * kSumStride + lane / 4;
#pragma unroll 1
    for (int first = 0; first < sequences; first += MatrixLimits::kColumns) {
      const int q = first + lane / 4;
      const float* row = vectors + first_word_ + q * row_stride + lane % 4 * 4;
      TileSums tiles[kRowTiles][kChains] = {};
      MultiplyBatch(weights_[0], row, q < sequences, tiles);
      if constexpr (kBatches > 1) {
        if (row_stride > kBatches * MatrixLimits::kBatchWords)
          MultiplyBatch(weights_[1], row + MatrixLimits::kBatchWords, q < sequences, tiles);
      }
      const int column = first + lane % 4 * 2;
#pragma unroll
      for (int r = 0; r < kRowTiles; ++r) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          if (column + i % 2 < sequences) {
            float sum = tiles[r][0].value[i];
            if constexpr (kChains > 1) sum += tiles[r][1].value[i];
            to[(column + i % 2) * kSumStride + r * 16 + i / 2 * 8] = sum;
          }
        }
      }
    }
    SyncGroup();
    if (!wanted) return;
    const int warp_floats = sequences * kSumStride, block_floats = launch_.slices * warp_floats;
    const float* of_slice =
        sums_ + own_.group * launch_.group_warps * warp_floats + own_.q * kSumStride + lane % kUnits;
#pragma unroll 1
    for (int slice = 0; slice < launch_.slices; ++slice, of_slice += warp_floats) {
      const float* of_block = of_slice;  // the blocks with a product, in their order
#pragma unroll
      for (int k = 0; k < kBlocks; ++k) {
        if (cell_.full[k] < 0) continue;
        sums[k] += *of_block;
        of_block += block_floats;
      }
    }
  }

  /// The sum of the cell's block k, 0 where it has no full product.
  __device__ float OfBlock(const Sums& sums, int k) const { return sums[k]; }
  /// All blocks' sums, each times its factor of dropout.
  template <class Store>
  __device__ float OfAllBlocks(const Sums& sums, const Store& store, bool drops) const {
    float sum = 0.0f;
#pragma unroll
    for (int k = 0; k < kBlocks; ++k) {
      if (cell_.full[k] >= 0) sum += drops ? sums[k] * store.Factor(k) : sums[k];
    }
    return sum;
  }

  /// Gives the team h of the lane's unit, number `j`; 0 where the lane has none. Whole warps, as all that sends.
  template <class Store>
  __device__ void SendState(TeamExchange& exchange, const Store& store, int j, float h, bool drops) const {
#pragma unroll
    for (int k = 0; k < kBlocks; ++k) {
      const int vector = cell_.full[k];
      if (vector >= 0 && vector < launch_.team.vectors) {
        SendElement(exchange, vector, j, drops ? h * store.Factor(k) : h);
      }
    }
  }
  /// Gives the team the gradients of the pre-activations of the lane's unit.
  __device__ void SendGradients(TeamExchange& exchange, int j, const BlockValues<float>& da) const {
#pragma unroll
    for (int k = 0; k < kBlocks; ++k) {
      if (cell_.full[k] >= 0) SendElement(exchange, cell_.full[k], j, da[k]);
    }
  }

 private:
  static constexpr int kUnits = MatrixLimits::GroupUnits(kRowTiles);
  static constexpr int kBatches = MatrixLimits::Batches(kRowTiles);
  static constexpr int kChunks = MatrixLimits::kBatchWords / MatrixLimits::kChunkWords;
  static constexpr int kChains = 2 / kRowTiles;  // sums of a tile of rows: a product need not wait for the one before
  static constexpr int kSumStride = MatrixLimits::SumStride(kUnits);
  using ChunkWeights = typename Format::TileA[2][kRowTiles];
  using BatchWeights = ChunkWeights[kChunks];
  static_assert(sizeof(BatchWeights) * kBatches == MatrixLimits::kWeightRegisters * sizeof(uint32_t));

  // The weights of the words from `first` on. A chunk beyond the depth is skipped: that ends what the compiler may mix,
  // and elements on their way from many chunks would take the registers.
  __device__ void LoadChunk(const RecurrentWeights& recurrent, int position, int first, ChunkWeights& weights) const {
    const bool there = first < launch_.team.row_words;
#pragma unroll
    for (int tile = 0; tile < 2; ++tile) {
#pragma unroll
      for (int r = 0; r < kRowTiles; ++r) weights[tile][r] = {};
    }
    if (!there) return;
    const int unit = own_.first_unit + own_.lane / 4, word = first + own_.lane % 4 * 4;
#pragma unroll
    for (int tile = 0; tile < 2; ++tile) {
#pragma unroll
      for (int r = 0; r < kRowTiles; ++r) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          weights[tile][r].value[i] = LoadWord(recurrent, position, unit + r * 16 + i % 2 * 8, word + tile * 2 + i / 2);
        }
      }
    }
  }

  __device__ uint32_t LoadWord(const RecurrentWeights& recurrent, int position, int unit, int word) const {
    const int element = word * Format::kElements;
    const float first = recurrent.At(position, launch_.units, unit, element);
    if constexpr (Format::kElements == 1) return ToTf32(first);
    return ToBf16Pair(first, recurrent.At(position, launch_.units, unit, element + 1));
  }

  __device__ static void MultiplyBatch(const BatchWeights& weights, const float* row, bool there,
                                       TileSums (&tiles)[kRowTiles][kChains]) {
    float4 words[kChunks];
#pragma unroll
    for (int chunk = 0; chunk < kChunks; ++chunk) {
      words[chunk] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
      if (there) words[chunk] = *reinterpret_cast<const float4*>(row + chunk * MatrixLimits::kChunkWords);
    }
#pragma unroll
    for (int chunk = 0; chunk < kChunks; ++chunk) {
      const typename Format::TileB right[2] = {{{__float_as_uint(words[chunk].x), __float_as_uint(words[chunk].y)}},
                                               {{__float_as_uint(words[chunk].z), __float_as_uint(words[chunk].w)}}};
#pragma unroll
      for (int r = 0; r < kRowTiles; ++r) {
        MultiplyAdd(tiles[r][0], weights[chunk][0][r], right[0]);
        MultiplyAdd(tiles[r][kChains - 1], weights[chunk][1][r], right[1]);
      }
    }
  }

  __device__ void SyncGroup() const {
    if (launch_.group_warps == 1) {
      __syncwarp();
    } else {
      NamedBarrierWait(own_.group + 1, launch_.group_warps * 32);
    }
  }

  __device__ void SendElement(TeamExchange& exchange, int vector, int j, float value) const {
    constexpr int kSenders = 4 * Format::kElements;
    constexpr unsigned kAllLanes = 0xFFFFFFFFu;
    const int q = Anew(own_.q), lane = Anew(static_cast<int>(threadIdx.x)) % 32,
              row = vector * launch_.team.sequences + q;
    float word;
    if constexpr (Format::kElements == 1) {
      word = __uint_as_float(ToTf32(value));
    } else {
      word = __uint_as_float(ToBf16Pair(value, __shfl_xor_sync(kAllLanes, value, 1)));  // of the even lanes
    }
    if (!launch_.team.IsCluster()) {
      if (own_.has_unit && j % Format::kElements == 0) exchange.Send(row, j / Format::kElements, word);
      return;
    }
    const int sender = lane % kSenders, first = lane - sender;
    float4 words;
    words.x = __shfl_sync(kAllLanes, word, first);
    words.y = __shfl_sync(kAllLanes, word, first + Format::kElements);
    words.z = __shfl_sync(kAllLanes, word, first + 2 * Format::kElements);
    words.w = __shfl_sync(kAllLanes, word, first + 3 * Format::kElements);
    const int first_unit = own_.first_unit + first % kUnits;
    if (first_unit < launch_.units && q < launch_.team.sequences) {
      exchange.SendWords(row, first_unit / Format::kElements, words, sender, kSenders);
    }
  }

  const TeamLaunch& launch_;
  const CellPlan& cell_;
  const TeamLane& own_;
  float* sums_;
  int first_word_;
  BatchWeights weights_[kBatches];
};

/// The instances. With two tiles of rows a block holds twice the units of layers whose depth a warp then still holds:
/// in tf32 one block holds those anyway.
#define SLIM_MATRIX_INSTANCES(instance)                                                   \
  instance(Precision::kTf32, Tf32Format, 1) instance(Precision::kBfloat16, Bf16Format, 1) \
      instance(Precision::kBfloat16, Bf16Format, 2)

}  // namespace slim::cuda
