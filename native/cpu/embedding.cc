#include "cpu/embedding.h"

#include <algorithm>
#include <cstring>

#include "cpu/memory.h"
#include "cpu/memory_operations.h"
#include "cpu/parallel_range.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/embedding.cc"
#include "cpu/dispatch.h"
#include "hwy/foreach_target.h"
// Compiled once a target, so after foreach_target.h:
#include "cpu/simd-inl.h"

#ifndef SLIM_EMBEDDING_TABLE
#define SLIM_EMBEDDING_TABLE
namespace slim {
struct EmbeddingTable {
  // y = the sum of the named rows of x, in their order, or y += it.
  void (*sum_rows)(const float* x, size_t width, const int32_t* rows, size_t count, float* y);
  void (*add_rows)(const float* x, size_t width, const int32_t* rows, size_t count, float* y);
};
}  // namespace slim
#endif

HWY_BEFORE_NAMESPACE();
namespace slim::HWY_NAMESPACE {
namespace {

template <bool kAdd>
void SumRows(const float* x, size_t width, const int32_t* rows, size_t count, float* y) {
  ForEachVector(width, [&](size_t c, size_t lanes) HWY_ATTR {
    Floats sum = hn::Zero(kFloats);
    for (size_t i = 0; i < count; ++i) {
      sum = hn::Add(sum, LoadFirst(x + static_cast<size_t>(rows[i]) * width + c, lanes));
    }
    if constexpr (kAdd) sum = hn::Add(LoadFirst(y + c, lanes), sum);
    StoreFirst(sum, y + c, lanes);
  });
}

}  // namespace

extern const EmbeddingTable kEmbeddingTable;
const EmbeddingTable kEmbeddingTable = {SumRows<false>, SumRows<true>};

}  // namespace slim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slim {

SLIM_CHOOSE_TABLE(EmbeddingTable, kEmbeddingTable)

namespace {

// The positions of a batch sorted by token are summed in pieces of this length. The sums of a piece's first and last
// token may be parts of sums that neighbouring pieces have the rest of, so they are kept aside and added up afterwards.
constexpr size_t kPiece = 512;

size_t Positions(const EmbeddingShape& shape, int64_t batch) { return static_cast<size_t>(batch * shape.steps); }
size_t Pieces(size_t positions) { return (positions + kPiece - 1) / kPiece; }

struct SortScratch {
  SortScratch(const EmbeddingShape& shape, size_t positions, void* memory)
      : arena(memory, Bytes(shape, positions)),
        ends(arena.Take<int32_t>(static_cast<size_t>(shape.vocabulary) + 1)),
        sorted(arena.Take<int32_t>(positions)),
        edges(arena.Take<float>(2 * Pieces(positions) * static_cast<size_t>(shape.width))) {}

  static size_t Bytes(const EmbeddingShape& shape, size_t positions) {
    return Arena::BytesOf<int32_t>(static_cast<size_t>(shape.vocabulary) + 1) + Arena::BytesOf<int32_t>(positions) +
           Arena::BytesOf<float>(2 * Pieces(positions) * static_cast<size_t>(shape.width));
  }

  Arena arena;
  int32_t* ends;    // [vocabulary + 1]: after sorting, token v has sorted[ends[v - 1]] to sorted[ends[v] - 1]
  int32_t* sorted;  // [positions], by token, then rising
  float* edges;     // [pieces, 2, width]: sums of each piece's first and last token
};

// A counting sort. `ends[token]` counts up from the token's beginning, which leaves its end there.
void SortByToken(const EmbeddingShape& shape, const int32_t* tokens, size_t positions, SortScratch& scratch) {
  const size_t vocabulary = static_cast<size_t>(shape.vocabulary);
  std::fill_n(scratch.ends, vocabulary + 1, 0);
  for (size_t i = 0; i < positions; ++i) ++scratch.ends[static_cast<size_t>(tokens[i]) + 1];
  for (size_t v = 0; v < vocabulary; ++v) scratch.ends[v + 1] += scratch.ends[v];
  for (size_t i = 0; i < positions; ++i) {
    scratch.sorted[scratch.ends[static_cast<size_t>(tokens[i])]++] = static_cast<int32_t>(i);
  }
}

using SumFunction = void (*)(const float*, size_t, const int32_t*, size_t, float*);

// Sums a piece's tokens: whole ones into the gradient, the first and the last into the piece's edges.
void SumPiece(const EmbeddingTable& table, SumFunction into_gradient, size_t piece, size_t positions, size_t width,
              const int32_t* tokens, const float* dy, const SortScratch& scratch, float* dtable) {
  const size_t end = std::min(positions, (piece + 1) * kPiece);
  for (size_t begin = piece * kPiece; begin < end;) {
    const size_t token = static_cast<size_t>(tokens[scratch.sorted[begin]]);
    const size_t stop = std::min(end, static_cast<size_t>(scratch.ends[token]));
    float* edge = scratch.edges + 2 * piece * width;
    const int32_t* rows = scratch.sorted + begin;
    if (begin == piece * kPiece) {
      table.sum_rows(dy, width, rows, stop - begin, edge);
    } else if (stop == end) {
      table.sum_rows(dy, width, rows, stop - begin, edge + width);
    } else {
      into_gradient(dy, width, rows, stop - begin, dtable + token * width);
    }
    begin = stop;
  }
}

// Adds the edges up in the order of the pieces. Neighbouring edges of one token follow each other.
void JoinEdges(SumFunction into_gradient, size_t positions, size_t width, const int32_t* tokens,
               const SortScratch& scratch, float* dtable) {
  int32_t open_token = -1;
  const auto join = [&](size_t position, size_t edge) {
    const int32_t token = tokens[scratch.sorted[position]];
    const int32_t row = static_cast<int32_t>(edge);
    float* gradient = dtable + static_cast<size_t>(token) * width;
    (token == open_token ? ChosenEmbeddingTable().add_rows : into_gradient)(scratch.edges, width, &row, 1, gradient);
    open_token = token;
  };
  for (size_t piece = 0; piece < Pieces(positions); ++piece) {
    const size_t begin = piece * kPiece;
    const size_t end = std::min(positions, begin + kPiece);
    join(begin, 2 * piece);
    if (tokens[scratch.sorted[end - 1]] != tokens[scratch.sorted[begin]]) join(end - 1, 2 * piece + 1);
  }
}

void SumByToken(ThreadPool& pool, SumFunction into_gradient, const EmbeddingShape& shape, int64_t batch,
                const int32_t* tokens, const float* dy, float* dtable, void* memory) {
  const EmbeddingTable& table = ChosenEmbeddingTable();
  const size_t positions = Positions(shape, batch);
  const size_t width = static_cast<size_t>(shape.width);
  SortScratch scratch(shape, positions, memory);
  SortByToken(shape, tokens, positions, scratch);
  pool.ParallelFor(Pieces(positions), [&](size_t piece, int) {
    SumPiece(table, into_gradient, piece, positions, width, tokens, dy, scratch, dtable);
  });
  // One task, so that denormals are rounded as in the others.
  pool.ParallelFor(1, [&](size_t, int) { JoinEdges(into_gradient, positions, width, tokens, scratch, dtable); });
}

}  // namespace

void EmbeddingForward(ThreadPool& pool, const EmbeddingShape& shape, int64_t batch, const int32_t* tokens,
                      const float* table, float* y) {
  GatherRows(pool, table, static_cast<size_t>(shape.width) * sizeof(float), tokens, batch * shape.steps, y);
}

size_t EmbeddingScratchBytes(const EmbeddingShape& shape, int64_t batch) {
  return SortScratch::Bytes(shape, Positions(shape, batch));
}

void EmbeddingBackward(ThreadPool& pool, const EmbeddingShape& shape, int64_t batch, const int32_t* tokens,
                       const float* dy, float* dtable, void* scratch) {
  Zero(pool, dtable, static_cast<size_t>(shape.vocabulary * shape.width) * sizeof(float));
  SumByToken(pool, ChosenEmbeddingTable().sum_rows, shape, batch, tokens, dy, dtable, scratch);
}

void AccumulateEmbeddingBackward(ThreadPool& pool, const EmbeddingShape& shape, int64_t batch, const int32_t* tokens,
                                 const float* dy, float* dtable, void* scratch) {
  SumByToken(pool, ChosenEmbeddingTable().add_rows, shape, batch, tokens, dy, dtable, scratch);
}

}  // namespace slim
#endif  // HWY_ONCE
