#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/context.h"

/// Backend's operations that move bytes.
namespace slim::cuda {

void Upload(const CudaContext& context, void* destination, const void* host, size_t bytes);
void Download(const CudaContext& context, void* host, const void* source, size_t bytes);
void Zero(const CudaContext& context, void* memory, size_t bytes);
void Copy(const CudaContext& context, void* destination, const void* source, size_t bytes);
void Synchronize(const CudaContext& context);

/// Row i of `destination` = row order[first_row + i] of `source`, first_row of the step's values.
void GatherRows(const CudaContext& context, const void* source, size_t row_bytes, const int32_t* order, int64_t rows,
                void* destination);

/// Row i of `destination` = row indices[i] of `source`; rows are `width` floats.
void GatherFloatRows(const CudaContext& context, const float* source, int64_t width, const int32_t* indices,
                     int64_t rows, float* destination);

/// mask[i] = tokens[i] != 0
void TokenMask(const CudaContext& context, const int32_t* tokens, int64_t count, uint8_t* mask);

}  // namespace slim::cuda
