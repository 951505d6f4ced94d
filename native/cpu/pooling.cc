#include "cpu/pooling.h"

#include <algorithm>

#include "cpu/parallel_range.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/pooling.cc"
#include "cpu/dispatch.h"
#include "hwy/foreach_target.h"
// Compiled once a target, so after foreach_target.h:
#include "cpu/simd-inl.h"
#include "cpu/spans-inl.h"

#ifndef SLIM_POOLING_TABLE
#define SLIM_POOLING_TABLE
namespace slim {

// Rows [begin, end) of a sequence of rows of `channels` floats.
struct PoolWindow {
  int64_t begin;
  int64_t end;
};

struct PoolingTable {
  // The maximum over the window's rows of x, and the rows it came from.
  void (*window_maximum)(const float* x, PoolWindow window, size_t channels, float* y);
  void (*window_maximum_with_winners)(const float* x, PoolWindow window, size_t channels, float* y, int32_t* winners);
  // Rows of dx become dy where the row won, elsewhere 0.
  void (*write_window)(const int32_t* winners, const float* dy, PoolWindow window, size_t channels, float* dx);
  // Rows of dx become larger by that.
  void (*add_window)(const int32_t* winners, const float* dy, PoolWindow window, size_t channels, float* dx);
};
}  // namespace slim
#endif

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {
namespace {

using WinnerTag = hn::RebindToSigned<FloatTag>;
using Winners = hn::Vec<WinnerTag>;

HWY_INLINE FloatMask Beats(Floats candidate, Floats best) {
  return hn::Or(hn::Gt(candidate, best), hn::IsNaN(candidate));
}

template <class Span>
HWY_INLINE Winners LoadWinners(const int32_t* winners, Span span) {
  return hn::BitCast(WinnerTag(), Load(reinterpret_cast<const float*>(winners), span));
}

void WindowMaximum(const float* x, PoolWindow window, size_t channels, float* y) {
  const float* first = x + static_cast<size_t>(window.begin) * channels;
  const size_t rows = static_cast<size_t>(window.end - window.begin);
  ForEachSpan(channels, [&](size_t c, auto span) HWY_ATTR {
    Floats best = Load(first + c, span);
    for (size_t row = 1; row < rows; ++row) {
      const Floats candidate = Load(first + row * channels + c, span);
      best = hn::IfThenElse(Beats(candidate, best), candidate, best);
    }
    Store(best, y + c, span);
  });
}

void WindowMaximumWithWinners(const float* x, PoolWindow window, size_t channels, float* y, int32_t* winners) {
  const WinnerTag d;
  const float* first = x + static_cast<size_t>(window.begin) * channels;
  const size_t rows = static_cast<size_t>(window.end - window.begin);
  ForEachSpan(channels, [&](size_t c, auto span) HWY_ATTR {
    Floats best = Load(first + c, span);
    Winners winner = hn::Set(d, static_cast<int32_t>(window.begin));
    Winners row_number = winner;
    for (size_t row = 1; row < rows; ++row) {
      row_number = hn::Add(row_number, hn::Set(d, 1));
      const Floats candidate = Load(first + row * channels + c, span);
      const FloatMask beats = Beats(candidate, best);
      best = hn::IfThenElse(beats, candidate, best);
      winner = hn::IfThenElse(hn::RebindMask(d, beats), row_number, winner);
    }
    Store(best, y + c, span);
    Store(hn::BitCast(kFloats, winner), reinterpret_cast<float*>(winners + c), span);
  });
}

struct Overwrite {
  template <class Span>
  HWY_INLINE Floats operator()(const float*, Floats value, Span) const {
    return value;
  }
};
struct AddTo {
  template <class Span>
  HWY_INLINE Floats operator()(const float* at, Floats value, Span span) const {
    return hn::Add(Load(at, span), value);
  }
};

template <class Combine>
HWY_INLINE void SpreadWindow(const int32_t* winners, const float* dy, PoolWindow window, size_t channels, float* dx,
                             const Combine& combine) {
  const WinnerTag d;
  for (int64_t row = window.begin; row < window.end; ++row) {
    float* to = dx + static_cast<size_t>(row) * channels;
    const Winners row_number = hn::Set(d, static_cast<int32_t>(row));
    ForEachSpan(channels, [&](size_t c, auto span) HWY_ATTR {
      const auto won = hn::RebindMask(kFloats, hn::Eq(LoadWinners(winners + c, span), row_number));
      const Floats value = hn::IfThenElseZero(won, Load(dy + c, span));
      Store(combine(to + c, value, span), to + c, span);
    });
  }
}

void WriteWindow(const int32_t* winners, const float* dy, PoolWindow window, size_t channels, float* dx) {
  SpreadWindow(winners, dy, window, channels, dx, Overwrite());
}

void AddWindow(const int32_t* winners, const float* dy, PoolWindow window, size_t channels, float* dx) {
  SpreadWindow(winners, dy, window, channels, dx, AddTo());
}

}  // namespace

extern const PoolingTable kPoolingTable;
const PoolingTable kPoolingTable = {WindowMaximum, WindowMaximumWithWinners, WriteWindow, AddWindow};

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slim {

SLIM_CHOOSE_TABLE(PoolingTable, kPoolingTable)

namespace {

PoolWindow WindowOf(const MaxPoolShape& shape, int64_t out_step) {
  const int64_t begin = out_step * shape.stride - shape.pad_left;
  return {std::max<int64_t>(begin, 0), std::min(begin + shape.pool, shape.steps)};
}

size_t OutStepsPerTask(const MaxPoolShape& shape) {
  const size_t floats = static_cast<size_t>(std::min(shape.pool, shape.steps) * shape.channels);
  return std::max<size_t>(1, kElementsPerTask / std::max<size_t>(1, floats));
}

void ZeroRows(float* dx, int64_t begin, int64_t end, int64_t channels) {
  if (begin < end) std::fill(dx + begin * channels, dx + end * channels, 0.0f);
}

// Windows do not overlap, so every row of dx is written once: by its window, or as a gap.
void WriteDistinctWindows(ThreadPool& pool, const PoolingTable& table, const MaxPoolShape& shape, int64_t batch,
                          const int32_t* winners, const float* dy, float* dx) {
  const size_t channels = static_cast<size_t>(shape.channels);
  const size_t out_steps = static_cast<size_t>(shape.out_steps);
  ParallelRange(pool, static_cast<size_t>(batch) * out_steps, OutStepsPerTask(shape), [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const int64_t out_step = static_cast<int64_t>(i % out_steps);
      const bool last = out_step + 1 == shape.out_steps;
      float* sequence = dx + i / out_steps * static_cast<size_t>(shape.steps) * channels;
      const PoolWindow window = WindowOf(shape, out_step);
      if (out_step == 0) ZeroRows(sequence, 0, window.begin, shape.channels);
      table.write_window(winners + i * channels, dy + i * channels, window, channels, sequence);
      ZeroRows(sequence, window.end, last ? shape.steps : WindowOf(shape, out_step + 1).begin, shape.channels);
    }
  });
}

// Windows overlap: a sequence is summed up by one task, window by window.
void AddOverlappingWindows(ThreadPool& pool, const PoolingTable& table, const MaxPoolShape& shape, int64_t batch,
                           const int32_t* winners, const float* dy, float* dx) {
  const size_t channels = static_cast<size_t>(shape.channels);
  const size_t out_steps = static_cast<size_t>(shape.out_steps);
  pool.ParallelFor(static_cast<size_t>(batch), [&](size_t sample, int) {
    float* sequence = dx + sample * static_cast<size_t>(shape.steps) * channels;
    ZeroRows(sequence, 0, shape.steps, shape.channels);
    for (size_t out_step = 0; out_step < out_steps; ++out_step) {
      const size_t at = (sample * out_steps + out_step) * channels;
      table.add_window(winners + at, dy + at, WindowOf(shape, static_cast<int64_t>(out_step)), channels, sequence);
    }
  });
}

}  // namespace

void MaxPoolForward(ThreadPool& pool, const MaxPoolShape& shape, int64_t batch, const float* x, float* y,
                    int32_t* winners) {
  const PoolingTable& table = ChosenPoolingTable();
  const size_t channels = static_cast<size_t>(shape.channels);
  const size_t out_steps = static_cast<size_t>(shape.out_steps);
  ParallelRange(pool, static_cast<size_t>(batch) * out_steps, OutStepsPerTask(shape), [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const float* sequence = x + i / out_steps * static_cast<size_t>(shape.steps) * channels;
      const PoolWindow window = WindowOf(shape, static_cast<int64_t>(i % out_steps));
      if (winners == nullptr) {
        table.window_maximum(sequence, window, channels, y + i * channels);
      } else {
        table.window_maximum_with_winners(sequence, window, channels, y + i * channels, winners + i * channels);
      }
    }
  });
}

void MaxPoolBackward(ThreadPool& pool, const MaxPoolShape& shape, int64_t batch, const int32_t* winners,
                     const float* dy, float* dx) {
  const PoolingTable& table = ChosenPoolingTable();
  if (shape.stride >= shape.pool) {
    WriteDistinctWindows(pool, table, shape, batch, winners, dy, dx);
  } else {
    AddOverlappingWindows(pool, table, shape, batch, winners, dy, dx);
  }
}

}  // namespace slim
#endif  // HWY_ONCE
