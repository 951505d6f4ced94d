#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/memory.h"
#include "cpu/product.h"
#include "cpu/recurrence_fold.h"
#include "cpu/recurrence_plan.h"
#include "cpu/recurrence_sequences.h"
#include "cpu/recurrence_shares.h"

/// The arrays of the recurrence's fast paths in the memory that the caller gives. Each is made twice: once without
/// memory, to learn the bytes, and once with it.
namespace slim {

/// Hands out arrays of a block of memory one after the other; without memory it only counts.
class Placement {
 public:
  explicit Placement(void* memory) : memory_(static_cast<uint8_t*>(memory)) {}

  template <class T>
  T* Take(size_t count) {
    T* taken = memory_ == nullptr ? nullptr : reinterpret_cast<T*>(memory_ + bytes_);
    bytes_ += AlignedBytes(count * sizeof(T));
    return taken;
  }
  size_t bytes() const { return bytes_; }

 private:
  uint8_t* memory_;
  size_t bytes_ = 0;
};

/// Kept from the forward to the backward pass of a training step. `p` counts sequences in the order of Sequences; rows
/// are those of RecurrencePlan::RowOfTurn, states those of StateBefore and StateAfter.
struct RecurrenceCache {
  RecurrenceCache(const RecurrencePlan& plan, void* memory);

  float* kept;  // [B][T, kept blocks, padded], sequences kept_stride apart
  float* c;     // [B][T + 1, padded], sequences state_stride apart
  float* h;     // likewise
  TokenFold fold;
  size_t bytes;
};

/// Arrays that both passes fill from the operands.
struct RecurrenceTables {
  RecurrenceTables(const RecurrencePlan& plan, Placement& placement);

  int32_t* order;
  int32_t* lengths;
  int32_t* starts;
  int32_t* times;
  ShareArrays shares;
  float* fixed;             // [4, padded]: values of fixed blocks
  float* bias;              // [bias blocks, padded]
  float* diagonals;         // [diagonal blocks, padded]; with recurrent dropout [B] of them, times the factors
  float* diagonal_factors;  // [B, diagonal blocks, padded] of dropout
  float* full_factors;      // [B, full blocks, padded]
  float* input_factors;     // [B, input blocks, inputs]
  float* packed_recurrent;  // U, or its transpose
  float* packed_kernel;     // W, or its transpose
};

/// Rows of input products that a worker has room for.
size_t WorkerRows(const RecurrencePlan& plan);

struct ForwardScratch {
  ForwardScratch(const RecurrencePlan& plan, int threads, void* memory);

  Placement placement;
  RecurrenceTables tables;
  TokenFold fold;             // in inference
  uint64_t* spare;            // [2, B * T] for the fold
  float* folded_products;     // [distinct tokens, input width]
  float* input_products;      // [threads][worker rows, input width]
  float* gathered;            // [threads][worker rows, inputs]: x times the factors of dropout
  int32_t* indices;           // [threads][worker rows]
  float* recurrent_products;  // [B, full width]
  float* operands;            // [B, full width]: h times the factors of dropout
  float* h;                   // [B, padded]: the states of the turn, where the cache does not keep them
  float* c;
  float* row_values;         // [threads][2, padded]
  const float** input_rows;  // [B]
  float** output_rows;       // [B]
};

struct BackwardScratch {
  BackwardScratch(const RecurrencePlan& plan, int threads, void* memory);

  Placement placement;
  RecurrenceTables tables;
  float* dh;               // [B, padded]
  float* dc;               // [B, padded]
  float* dh_block;         // [B, padded]: of one block, before its factors of dropout
  float* group_sums;       // [groups][sums, padded]
  double* totals;          // likewise
  float* row_values;       // [threads][2, padded]
  float* stem_gradients;   // [T, padded]: the gradients that come in at the stem's turns, with return_sequences
  const float** doutputs;  // [B]
  RowRun* runs;
  float* gathered;           // [B * T, inputs or padded]: x or h times the factors of dropout; rows of the table
  float* gathered_gradient;  // [B * T, inputs]: dx behind an embedding, of positions or of distinct tokens
  TokenFold fold;            // behind an embedding under dropout, where the forward pass makes none
  uint64_t* spare;           // [2, B * T] for it
  float* folded;             // [distinct tokens, input width]: gradients summed by token
  void* products;            // scratch of the products, and of the kernel's gradient in a scan
};

}  // namespace slim
