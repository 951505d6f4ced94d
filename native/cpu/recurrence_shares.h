#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "cpu/recurrence_plan.h"
#include "cpu/recurrence_sequences.h"
#include "spin_wait.h"
#include "thread_pool.h"

namespace slim {

/// The sequences that one thread walks. Those that walk a turn are the first of them: the one that holds the stem,
/// which walks all turns, comes before the others, whose turns begin later and later, or end sooner and sooner.
struct Share {
  const int32_t* sequences;  // [count]
  size_t count;
  size_t first_row;  // of arrays that have a row for each sequence, share after share

  size_t Sequence(size_t row) const { return static_cast<size_t>(sequences[row]); }
  /// How many of the sequences walk the turn.
  size_t Active(const RecurrencePlan& plan, const Sequences& walks, size_t turn) const;
};

/// How far the walk of a share has come, for walks on other threads that need what it leaves behind. The walk that is
/// waited for must have begun.
class WalkProgress {
 public:
  WalkProgress(int32_t& turns, bool spins) : turns_(turns), spins_(spins) {}

  /// `turns` rise.
  void Report(size_t turns) {
    turns_.store(static_cast<int32_t>(turns), std::memory_order_release);
    turns_.notify_all();
  }
  void WaitFor(size_t turns) const {
    int32_t seen = 0;
    const auto come = [&] { return (seen = turns_.load(std::memory_order_acquire)) >= static_cast<int32_t>(turns); };
    if (spins_ && SpinUntil(come)) return;
    while (!come()) turns_.wait(seen, std::memory_order_acquire);
  }

 private:
  std::atomic_ref<int32_t> turns_;
  bool spins_;
};

/// Where the shares are written.
struct ShareArrays {
  int32_t* sequences;  // [B]: those of share 0, of share 1, ...
  int32_t* rows;       // [B]: place of a sequence in it
  int32_t* bounds;     // [groups + 1]: where the shares begin in it
  int32_t* owners;     // [groups]: the share of a group of sequences
  int32_t* progress;   // [groups]: of the shares
};

/// A batch's sequences, divided among threads by whole groups so that all have about the same number of steps to walk.
/// Without a stem a share's sequences are neighbours, which its walk is a little faster for; with one they are dealt
/// out by their length, so that all threads walk the same turns: a sequence that leaves the stem finds it has come so
/// far.
class Shares {
 public:
  /// No more than the pool has threads; none has begun to walk.
  Shares(const RecurrencePlan& plan, const Sequences& sequences, const ThreadPool& pool, const ShareArrays& arrays);

  size_t count() const { return count_; }
  Share operator[](size_t number) const;
  WalkProgress Progress(size_t number) const { return {arrays_.progress[number], spins_}; }
  /// The number of the share of sequence p. That of the stem, if there is one, is 0.
  size_t OwnerOf(size_t p) const { return static_cast<size_t>(arrays_.owners[p / group_rows_]); }
  /// Where sequence p has its row in arrays of rows share after share.
  size_t RowOf(size_t p) const { return static_cast<size_t>(arrays_.rows[p]); }

 private:
  ShareArrays arrays_;
  size_t group_rows_;
  size_t count_;
  bool spins_;
};

}  // namespace slim
