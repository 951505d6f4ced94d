#pragma once

#include <cstdint>

#include "backend.h"
#include "thread_pool.h"

namespace slim {

/// Backend's operation. A sample's class, by which class weights are looked up, is its target (sparse), the largest of
/// its targets (several outputs), or 1 where its one target is above 0.5 and else 0; in the last case class_weights
/// has two entries. Accuracy of the mean squared error is told as Keras tells it: one output like the binary loss,
/// several by the largest.
void ComputeLoss(ThreadPool& pool, const LossShape& shape, int64_t batch, const LossOperands& operands);

}  // namespace slim
