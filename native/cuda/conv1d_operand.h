#pragma once

#include <cstdint>

#include "backend.h"
#include "cuda/division.h"
#include "cuda/product_operand.h"

/// A convolution's operands as those of products (product_operand.h). kVector is 4 where channels, or filters for what
/// is made of them, and all addresses are multiples of 4 floats.
namespace slim::cuda {

/// What a convolution reads: rows of x, or the table's rows that tokens name.
struct WindowSource {
  Conv1dShape shape;
  SequenceInput input;

  /// Element `channel` of row `t` of the sequence whose first position is `sequence`; null outside.
  __device__ const float* At(int64_t sequence, int64_t t, int64_t channel) const {
    if (t < 0 || t >= shape.steps) return nullptr;
    const int64_t row = input.x != nullptr ? sequence + t : input.tokens[sequence + t];
    return (input.x != nullptr ? input.x : input.table) + row * shape.channels + channel;
  }
};

/// The windows as A, [B * T out, taps * C].
template <int kVector_>
struct WindowRows {
  static constexpr bool kAlongDepth = true;
  static constexpr int kVector = kVector_;
  struct Line {
    int64_t sequence;  // -1 outside
    int64_t first;     // the row that the first tap sees
  };

  WindowSource source;
  int64_t lines;

  __device__ Line Prepare(int64_t line) const {
    if (line >= lines) return {-1, 0};
    int64_t sample, t;
    DivideBy(line, source.shape.out_steps, &sample, &t);
    return {sample * source.shape.steps, t * source.shape.stride - source.shape.pad_left};
  }
  __device__ const float* At(const Line& line, int64_t k) const {
    int64_t tap, channel;
    DivideBy(k, source.shape.channels, &tap, &channel);
    if (line.sequence < 0 || tap >= source.shape.taps) return nullptr;
    return source.At(line.sequence, line.first + tap * source.shape.dilation, channel);
  }
};

/// The windows transposed, [taps * C, B * T out], for the kernel's gradient.
template <int kVector_>
struct WindowColumns {
  static constexpr bool kAlongDepth = false;
  static constexpr int kVector = kVector_;
  struct Line {
    int64_t offset;   // of the tap's row from the window's first
    int64_t channel;  // -1 outside
  };

  WindowSource source;
  int64_t depth;

  __device__ Line Prepare(int64_t line) const {
    int64_t tap, channel;
    DivideBy(line, source.shape.channels, &tap, &channel);
    return {tap * source.shape.dilation - source.shape.pad_left, tap < source.shape.taps ? channel : -1};
  }
  __device__ const float* At(const Line& line, int64_t k) const {
    int64_t sample, t;
    DivideBy(k, source.shape.out_steps, &sample, &t);
    if (line.channel < 0 || k >= depth) return nullptr;
    return source.At(sample * source.shape.steps, t * source.shape.stride + line.offset, line.channel);
  }
};

/// For the input's gradient: line (b, t), element (tap, f) is dy of the output row that sees row t through the tap.
template <int kVector_>
struct SeenRows {
  static constexpr bool kAlongDepth = true;
  static constexpr int kVector = kVector_;
  struct Line {
    int64_t first;  // the sample's first output row, -1 outside
    int64_t reach;  // t + pad_left
  };

  Conv1dShape shape;
  const float* dy;  // [B, T out, F]
  int64_t lines;

  __device__ Line Prepare(int64_t line) const {
    if (line >= lines) return {-1, 0};
    int64_t sample, t;
    DivideBy(line, shape.steps, &sample, &t);
    return {sample * shape.out_steps, t + shape.pad_left};
  }
  __device__ const float* At(const Line& line, int64_t k) const {
    int64_t tap, filter;
    DivideBy(k, shape.filters, &tap, &filter);
    const int64_t ahead = line.reach - tap * shape.dilation;
    if (line.first < 0 || tap >= shape.taps || ahead < 0) return nullptr;
    int64_t t, rest;
    DivideBy(ahead, shape.stride, &t, &rest);
    return rest == 0 && t < shape.out_steps ? dy + (line.first + t) * shape.filters + filter : nullptr;
  }
};

/// And the kernel beside it: line c, element (tap, f) is kernel[tap, c, f].
template <int kVector_>
struct KernelOfChannels {
  static constexpr bool kAlongDepth = true;
  static constexpr int kVector = kVector_;
  using Line = const float*;

  Conv1dShape shape;
  const float* kernel;

  __device__ Line Prepare(int64_t line) const {
    return line < shape.channels ? kernel + line * shape.filters : nullptr;
  }
  __device__ const float* At(Line line, int64_t k) const {
    int64_t tap, filter;
    DivideBy(k, shape.filters, &tap, &filter);
    const bool inside = line != nullptr && tap < shape.taps;
    return inside ? line + tap * shape.channels * shape.filters + filter : nullptr;
  }
};

}  // namespace slim::cuda
