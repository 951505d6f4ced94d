#pragma once

#include <cstddef>

namespace slim {

/// Writes `row` [width] to each of `count` neighbouring rows, past the caches: for rows that nobody reads soon.
void FillRows(const float* row, size_t width, size_t count, float* rows);

}  // namespace slim
