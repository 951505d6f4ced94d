#include <algorithm>
#include <cstring>

#include "cpu/product.h"

namespace slim {
namespace {

constexpr size_t RoundUp(size_t value, size_t multiple) { return (value + multiple - 1) / multiple * multiple; }

PackedMatrix Describe(const float* storage, size_t depth, size_t columns, size_t panel_vectors) {
  PackedMatrix packed;
  packed.data = storage;
  packed.depth = depth;
  packed.columns = columns;
  packed.lanes = VectorLanes();
  packed.panel_columns = panel_vectors * packed.lanes;
  return packed;
}

// Rows of the source whose elements are brought into a panel's columns together, so that each line of the cache that
// is read serves several k.
constexpr size_t kTransposeDepth = 16;

}  // namespace

size_t PackedSize(size_t depth, size_t columns) { return depth * RoundUp(columns, VectorLanes()); }

PackedMatrix Pack(const float* b, size_t stride, size_t depth, size_t columns, float* storage) {
  const PackedMatrix packed = Describe(storage, depth, columns, PanelVectors());
  for (size_t panel = 0; panel < packed.Panels(); ++panel) {
    const size_t first = panel * packed.panel_columns;
    const size_t width = packed.PanelWidth(panel);
    const size_t count = std::min(width, columns - first);
    for (size_t k = 0; k < depth; ++k, storage += width) {
      std::memcpy(storage, b + k * stride + first, count * sizeof(float));
      std::fill(storage + count, storage + width, 0.0f);
    }
  }
  return packed;
}

PackedMatrix PackTransposed(const float* b, size_t stride, size_t depth, size_t columns, float* storage) {
  const PackedMatrix packed = Describe(storage, depth, columns, PanelVectors());
  for (size_t panel = 0; panel < packed.Panels(); ++panel) {
    const size_t first = panel * packed.panel_columns;
    const size_t width = packed.PanelWidth(panel);
    const size_t count = std::min(width, columns - first);
    for (size_t k = 0; k < depth; k += kTransposeDepth) {
      const size_t deep = std::min(kTransposeDepth, depth - k);
      for (size_t j = 0; j < width; ++j) {
        const float* source = b + (first + j) * stride + k;
        for (size_t i = 0; i < deep; ++i) storage[(k + i) * width + j] = j < count ? source[i] : 0.0f;
      }
    }
    storage += depth * width;
  }
  return packed;
}

PackedMatrix PackColumns(const float* b, size_t stride, size_t depth, const int32_t* columns, size_t count,
                         size_t panel_vectors, float* storage) {
  const PackedMatrix packed = Describe(storage, depth, count, panel_vectors);
  for (size_t panel = 0; panel < packed.Panels(); ++panel) {
    const size_t first = panel * packed.panel_columns;
    const size_t width = packed.PanelWidth(panel);
    for (size_t k = 0; k < depth; ++k, storage += width) {
      const float* row = b + k * stride;
      for (size_t j = 0; j < width; ++j) {
        storage[j] = first + j < count && columns[first + j] >= 0 ? row[columns[first + j]] : 0.0f;
      }
    }
  }
  return packed;
}

PackedMatrix PackRows(const float* b, size_t stride, size_t depth, const int32_t* rows, size_t count,
                      size_t panel_vectors, float* storage) {
  const PackedMatrix packed = Describe(storage, depth, count, panel_vectors);
  for (size_t panel = 0; panel < packed.Panels(); ++panel) {
    const size_t first = panel * packed.panel_columns;
    const size_t width = packed.PanelWidth(panel);
    for (size_t k = 0; k < depth; k += kTransposeDepth) {
      const size_t deep = std::min(kTransposeDepth, depth - k);
      for (size_t j = 0; j < width; ++j) {
        const bool present = first + j < count && rows[first + j] >= 0;
        const float* source = present ? b + static_cast<size_t>(rows[first + j]) * stride + k : nullptr;
        for (size_t i = 0; i < deep; ++i) storage[(k + i) * width + j] = present ? source[i] : 0.0f;
      }
    }
    storage += depth * width;
  }
  return packed;
}

size_t InterleavedColumns(size_t units, size_t blocks) { return RoundUp(units, VectorLanes()) * blocks; }

void InterleaveBlocks(size_t units, size_t blocks, int32_t* columns) {
  const size_t lanes = VectorLanes();
  for (size_t first = 0; first < units; first += lanes) {
    for (size_t block = 0; block < blocks; ++block) {
      for (size_t unit = first; unit < first + lanes; ++unit) {
        *columns++ = unit < units ? static_cast<int32_t>(block * units + unit) : -1;
      }
    }
  }
}

}  // namespace slim
