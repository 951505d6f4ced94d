#include "cpu/recurrence_sums.h"

#include <algorithm>

namespace slim {

void ClearSums(const RecurrencePlan& plan, const BackwardScratch& scratch) {
  const size_t count = plan.groups * plan.sums * plan.padded;
  std::fill_n(scratch.group_sums, count, 0.0f);
  std::fill_n(scratch.totals, count, 0.0);
}

void CarrySums(const RecurrencePlan& plan, size_t group, UnitRange units, const BackwardScratch& scratch) {
  for (size_t row = 0; row < plan.sums; ++row) {
    const size_t at = (group * plan.sums + row) * plan.padded + units.first;
    float* sums = scratch.group_sums + at;
    double* totals = scratch.totals + at;
    for (size_t j = 0; j < units.count; ++j) {
      totals[j] += static_cast<double>(sums[j]);
      sums[j] = 0.0f;
    }
  }
}

void ReduceSums(const RecurrencePlan& plan, const BackwardScratch& scratch, const RecurrenceGradients& gradients) {
  for (size_t row = 0; row < plan.sums; ++row) {
    const bool diagonal = row >= plan.bias_blocks;
    float* array = diagonal ? gradients.recurrent_diagonal : gradients.bias;
    if (array == nullptr) continue;
    float* to = array + (diagonal ? row - plan.bias_blocks : row) * plan.units;
    for (size_t j = 0; j < plan.units; ++j) {
      double sum = 0.0;
      for (size_t group = 0; group < plan.groups; ++group) {
        sum += scratch.totals[(group * plan.sums + row) * plan.padded + j];
      }
      to[j] = static_cast<float>(sum);
    }
  }
}

}  // namespace slim
