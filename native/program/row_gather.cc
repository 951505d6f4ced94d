#include "program/row_gather.h"

#include <algorithm>
#include <cstring>
#include <system_error>
#include <thread>

namespace slim {
namespace {

/// Takes a thread long enough that to wake it costs little beside.
constexpr size_t kPieceBytes = size_t{256} << 10;

/// As many as it takes to fill a link; the others are left to whoever prepares the next data.
constexpr unsigned kMostThreads = 8;

int Threads() { return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, kMostThreads)); }

/// Asks for the first bytes of a row that is copied soon: where rows are short, waiting for each one's beginning is
/// most of the time. Of a long row the processor's own prefetcher sees to the rest.
void PrefetchRow(const std::byte* row, size_t row_bytes) {
#if defined(__GNUC__)
  constexpr size_t kLine = 64, kMostBytes = 4096;
  const size_t bytes = std::min(row_bytes, kMostBytes);
  for (size_t at = 0; at < bytes; at += kLine) __builtin_prefetch(row + at);
#else
  static_cast<void>(row);
  static_cast<void>(row_bytes);
#endif
}

}  // namespace

template <class Part>
void RowGather::Share(size_t count, size_t bytes, const Part& part) {
  const size_t piece = std::max<size_t>(1, kPieceBytes / std::max<size_t>(1, bytes));
  if (count <= piece) return part(0, count);
  if (!pool_) {
    try {
      pool_.emplace(Threads());
    } catch (const std::system_error&) {
      pool_.emplace(1);
    }
  }
  pool_->ParallelFor((count + piece - 1) / piece, [&](size_t task, int) {
    const size_t begin = task * piece;
    part(begin, std::min(begin + piece, count));
  });
}

void RowGather::Gather(const void* rows, size_t row_bytes, const int32_t* order, int64_t count, void* to) {
  const auto* from = static_cast<const std::byte*>(rows);
  auto* out = static_cast<std::byte*>(to);
  const auto row = [=](size_t i) { return from + static_cast<size_t>(order[i]) * row_bytes; };
  Share(static_cast<size_t>(count), row_bytes, [=](size_t begin, size_t end) {
    constexpr size_t kAhead = 2;
    for (size_t i = begin; i < end; ++i) {
      if (i + kAhead < end) PrefetchRow(row(i + kAhead), row_bytes);
      std::memcpy(out + i * row_bytes, row(i), row_bytes);
    }
  });
}

void RowGather::Copy(const void* from, size_t bytes, void* to) {
  Share(bytes, 1, [=](size_t begin, size_t end) {
    std::memcpy(static_cast<std::byte*>(to) + begin, static_cast<const std::byte*>(from) + begin, end - begin);
  });
}

}  // namespace slim
