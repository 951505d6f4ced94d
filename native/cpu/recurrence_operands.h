#pragma once

#include <cstddef>

#include "backend.h"
#include "cpu/product.h"
#include "cpu/recurrence_memory.h"
#include "cpu/recurrence_plan.h"
#include "cpu/recurrence_steps.h"
#include "thread_pool.h"

/// The weights as the kernels read them.
namespace slim {

/// Blocks of a packed weight array, each run of blocks a right operand of its own.
struct PackedBlocks {
  int count = 0;
  BlockRun runs[kBlocks];
  PackedMatrix matrices[kBlocks];
};

/// Packs a weight array [depth, blocks * units] by runs. Rows of the results are padded with zeros to whole vectors.
PackedBlocks PackBlocks(const RecurrencePlan& plan, int BlockPlan::*term, bool apart, const float* weights,
                        size_t depth, float* storage, ThreadPool& pool);

/// Packs the transpose: the right operand [blocks of the run * units, depth] of a run.
PackedBlocks PackTransposedBlocks(const RecurrencePlan& plan, int BlockPlan::*term, bool apart, const float* weights,
                                  size_t depth, float* storage, ThreadPool& pool);

/// Fills the tables of bias, fixed values and diagonals, and describes the cell by them. With recurrent dropout the
/// factors are filled before.
CellParameters PrepareCell(const RecurrencePlan& plan, const RecurrenceWeights& weights, RecurrenceTables& tables,
                           ThreadPool& pool);

/// Fills the factors of dropout for the sequences in their order.
void PrepareDropout(const RecurrencePlan& plan, const StepValues& step, RecurrenceTables& tables, ThreadPool& pool);

}  // namespace slim
