#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "thread_pool.h"

namespace slim {

/// Rows from anywhere in the host's memory, put side by side. One thread copies some 5 to 10 GB/s and a link to a
/// device takes up to 50, so threads share out what is large; they are made when such rows first come.
class RowGather {
 public:
  /// to[i] = row order[i] of `rows`, for 0 <= i < count.
  void Gather(const void* rows, size_t row_bytes, const int32_t* order, int64_t count, void* to);
  void Copy(const void* from, size_t bytes, void* to);

 private:
  /// Calls part(begin, end) for pieces of [0, count), of which each is some `bytes`.
  template <class Part>
  void Share(size_t count, size_t bytes, const Part& part);

  std::optional<ThreadPool> pool_;
};

}  // namespace slim
