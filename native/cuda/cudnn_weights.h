#pragma once

#include <cstdint>

struct CUstream_st;

namespace slim::cuda {

/// destination [columns, rows] = the transpose of source [rows, columns]; strides count floats from row to row. The
/// blocks of cuDNN's weights are the transposes of ours.
void CopyTransposed(const float* source, int64_t source_stride, int64_t rows, int64_t columns, float* destination,
                    int64_t destination_stride, CUstream_st* stream);

}  // namespace slim::cuda
