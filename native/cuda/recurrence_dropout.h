#pragma once

#include <cstdint>

namespace slim::cuda {

struct CudaContext;

/// The factors of dropout by sequence and block, constant over time: factors [B, 4, width] of the stream at the step's
/// values.
void MakeDropoutFactors(const CudaContext& context, float rate, uint32_t stream, int64_t batch, int64_t width,
                        float* factors);

/// Rows of the layer's input, or of states: row r begins at rows + r * width, or at rows + index[r] * width.
struct IndexedRows {
  const float* rows;
  const int32_t* index;  // or null
  int64_t width;
};

/// to [B * T, width] = the rows times the factors [B, 4, width] of a block; without factors (null) they are copied.
void ScaleRows(const CudaContext& context, int64_t positions, int64_t steps, const IndexedRows& from,
               const float* factors, int block, float* to);

/// to [B * T, width] += from times the factors of a block, or is overwritten by them.
void AddScaledRows(const CudaContext& context, int64_t positions, int64_t steps, int64_t width, const float* from,
                   const float* factors, int block, float* to);
void SetScaledRows(const CudaContext& context, int64_t positions, int64_t steps, int64_t width, const float* from,
                   const float* factors, int block, float* to);

}  // namespace slim::cuda
