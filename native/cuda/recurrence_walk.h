#pragma once

#include <cstdint>

#include "backend.h"
#include "cuda/recurrence_cell.h"

/// How the kernels of the recurrence find their rows.
namespace slim::cuda {

/// Which positions the turns of each sequence are. Without a mask all lists are null: every sequence has T turns.
struct Walk {
  int64_t batch;
  int64_t steps;
  bool reverse;
  const int32_t* order;    // [B]: which sequence comes p-th; longest first, so that neighbours end together
  const int32_t* lengths;  // [B]: turns of sequence b
  const int32_t* times;    // [B, T]: time of a turn

  __device__ int64_t Sequence(int64_t p) const { return order == nullptr ? p : order[p]; }
  __device__ int Turns(int64_t b) const { return lengths == nullptr ? static_cast<int>(steps) : lengths[b]; }
  __device__ int Time(int64_t b, int turn) const {
    if (times != nullptr) return times[b * steps + turn];
    return reverse ? static_cast<int>(steps) - 1 - turn : turn;
  }
};

/// Rows of x W by position, or by what `index` [B, T] names at a position (the token).
struct InputProducts {
  const float* rows;      // null: no block has an input product
  int64_t width;          // floats from row to row
  const int32_t* index;   // or null
  int8_t place[kBlocks];  // of each block in a row, -1 where it has none

  /// Those of one unit, 0 where a block has none.
  __device__ BlockValues<float> At(int64_t position, int64_t units, int64_t j) const {
    BlockValues<float> values = {};
    if (rows == nullptr) return values;
    const float* row = rows + (index == nullptr ? position : index[position]) * width + j;
#pragma unroll
    for (int k = 0; k < kBlocks; ++k) {
      if (place[k] >= 0) values[k] = row[place[k] * units];
    }
    return values;
  }
};

/// The rows that leave the layer, or the gradients of them: [B, T, n] with sequences, otherwise [B, n].
template <class Float>
struct StateRows {
  Float* rows;
  int64_t stride;
  bool sequences;
  bool by_turn;  // of a walk backwards without align_output: row 0 is the first turn's, were nothing masked

  /// Of a sequence's rows, with sequences.
  __device__ int Row(const Walk& walk, int time) const {
    return by_turn ? static_cast<int>(walk.steps) - 1 - time : time;
  }
  __device__ Float* At(const Walk& walk, int64_t b, int time) const {
    return rows + (sequences ? b * walk.steps + Row(walk, time) : b) * stride;
  }
};

/// What the forward pass of a training step keeps, by position: rows [kept blocks, n] and the states before the step.
/// All null in inference, but for `values` where the input products lie there.
struct KeptRows {
  float* values;
  float* c_before;
  float* h_before;  // null where no block sees it
  int64_t width;    // floats from row to row of `values`

  __device__ bool KeepsStates() const { return c_before != nullptr; }

  __device__ BlockValues<float> At(const CellPlan& cell, int64_t position, int64_t units, int64_t j) const {
    BlockValues<float> kept;
#pragma unroll
    for (int k = 0; k < kBlocks; ++k) {
      kept[k] = cell.kept[k] < 0 ? 0.0f : values[position * width + cell.kept[k] * units + j];
    }
    return kept;
  }
  __device__ void Set(const CellPlan& cell, int64_t position, int64_t units, int64_t j,
                      const BlockValues<float>& kept) const {
#pragma unroll
    for (int k = 0; k < kBlocks; ++k) {
      if (cell.kept[k] >= 0) values[position * width + cell.kept[k] * units + j] = kept[k];
    }
  }
  __device__ float StateBefore(int64_t position, int64_t units, int64_t j) const {
    return h_before == nullptr ? 0.0f : h_before[position * units + j];
  }
  __device__ void SetStates(int64_t position, int64_t units, int64_t j, float c, float h) const {
    c_before[position * units + j] = c;
    if (h_before != nullptr) h_before[position * units + j] = h;
  }
};

}  // namespace slim::cuda
