#pragma once

#include <atomic>
#include <cstdint>

#include "program/host_memory.h"

namespace slim {

struct DatasetShape {
  int64_t rows = 0;
  int64_t input_width = 0;   // elements of a row of inputs
  int64_t vocabulary = 0;    // above 0: inputs are int32 ids below this; 0: float32
  int64_t target_width = 0;  // elements of a row of targets; 0: there are none
  int64_t classes = 0;       // above 0: targets are int32 ids below this; 0: float32
};

/// Rows of inputs and targets in the host's memory, filled from the front and checked on the way. A row never changes
/// once it was appended, so runs may read it on another thread while further ones are appended.
class Dataset {
 public:
  /// Throws Error (kInvalidArgument, kOutOfHostMemory).
  explicit Dataset(const DatasetShape& shape);

  const DatasetShape& shape() const { return shape_; }

  /// Appends whole rows; returns -1, or the index of the first element that cannot be taken (an id out of range, a
  /// number that is not finite), and then appends nothing. The values are checked where they were copied to, so that it
  /// does not matter if the caller's memory changes meanwhile. Throws Error (kInvalidArgument) for values of the wrong
  /// kind, parts of rows and too many rows.
  int64_t AppendInputs(const int32_t* values, int64_t count);
  int64_t AppendInputs(const float* values, int64_t count);
  int64_t AppendTargets(const int32_t* values, int64_t count);
  int64_t AppendTargets(const float* values, int64_t count);

  /// Rows appended so far.
  int64_t InputRows() const { return inputs_.filled.load(std::memory_order_acquire); }
  int64_t TargetRows() const { return targets_.filled.load(std::memory_order_acquire); }

  const void* inputs() const { return inputs_.words.data(); }
  const void* targets() const { return targets_.words.data(); }

 private:
  /// int32 and float32 are both kept as words of four bytes.
  struct Rows {
    HostArray<uint32_t> words;
    int64_t width = 0;
    int64_t limit = 0;  // of ids; 0: floats
    std::atomic<int64_t> filled{0};
  };

  template <class T>
  int64_t Append(Rows& rows, const char* name, const T* values, int64_t count);

  DatasetShape shape_;
  Rows inputs_;
  Rows targets_;
};

}  // namespace slim
