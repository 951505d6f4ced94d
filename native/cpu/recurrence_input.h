#pragma once

#include <cstddef>
#include <cstdint>

#include "backend.h"
#include "cpu/recurrence_memory.h"
#include "cpu/recurrence_operands.h"
#include "cpu/recurrence_plan.h"
#include "cpu/recurrence_sequences.h"
#include "cpu/recurrence_shares.h"
#include "thread_pool.h"

namespace slim {

/// Columns of each block that a panel of the packed kernel covers.
size_t PanelColumns(const RecurrencePlan& plan);
/// The number of panels that cover a block.
size_t PanelsOf(const RecurrencePlan& plan);

/// x W of the blocks that have it. Behind an embedding the rows of all distinct tokens are computed at once; otherwise
/// those of some turns of some sequences at a time, so that they are still in the cache when their steps come.
class InputProducts {
 public:
  /// Packs the kernel and, where tokens are folded, computes their rows on all threads.
  InputProducts(const RecurrencePlan& plan, const SequenceInput& input, const Sequences& sequences,
                const TokenFold& fold, const float* kernel, const ForwardScratch& scratch, ThreadPool& pool);

  /// Some turns of a share's sequences, their rows in the memory of a worker.
  struct Chunk {
    Share share;
    int worker;
    size_t first_turn = 0;
    size_t turns = 0;
    size_t offsets[RecurrencePlan::kMostChunkTurns] = {};  // number of each turn's first row
  };

  /// Sets rows[r] to the row [input blocks, padded] of the share's sequence r at the turn, for the `active` ones that
  /// walk it. Computes the rows of that turn and some after it where the chunk does not hold them. Turns rise.
  void Rows(Chunk& chunk, size_t turn, size_t active, const float** rows) const;

  /// Asks for the rows that `Rows` will set where they were computed long before.
  void Prefetch(const Chunk& chunk, size_t turn, size_t active) const;

  /// The columns of one panel (see product.h) of each input block, for the turns [turn, turn + turns) of sequence p, of
  /// which there are at most RecurrencePlan::kMostChunkTurns. Sets rows[j] to the row of turn + j, where the blocks are
  /// `BlockStride()` floats apart.
  void PanelRows(size_t p, size_t turn, size_t turns, size_t panel, int worker, const float** rows) const;
  size_t BlockStride() const;

  /// Sets rows[j] to the row of x that sequence p reads at turn + j, as far as there are such turns before `end`, at
  /// most RecurrencePlan::kMostChunkTurns. Returns their number: 0 where the products need not be computed any more.
  size_t RowsFrom(size_t p, size_t turn, size_t end, const float** rows) const;

 private:
  void Compute(Chunk& chunk, size_t turn) const;
  size_t RowIndex(size_t p, size_t turn) const;
  const float* FoldedRow(size_t p, size_t turn) const;

  const RecurrencePlan& plan_;
  const SequenceInput& input_;
  const Sequences& sequences_;
  const TokenFold& fold_;
  const ForwardScratch& scratch_;
  const float* rows_;  // of x, or of the table
  PackedBlocks kernel_;
};

}  // namespace slim
