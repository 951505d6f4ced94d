#include "program/dataset.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "errors.h"
#include "program/sizes.h"

namespace slim {
namespace {

/// A block of this many words is checked as a whole, in a loop that the compiler turns into vector operations.
constexpr int64_t kBlock = 1024;

constexpr uint32_t kExponent = 0x7F800000u;  // all ones: infinity or NaN

bool IsBad(uint32_t word, uint32_t limit) { return limit > 0 ? word >= limit : (word & kExponent) == kExponent; }

bool BlockHasBadId(const uint32_t* words, uint32_t limit) {
  uint32_t bad = 0;
  for (int64_t i = 0; i < kBlock; ++i) bad |= static_cast<uint32_t>(words[i] >= limit);
  return bad != 0;
}

bool BlockHasBadNumber(const uint32_t* words) {
  uint32_t bad = 0;
  for (int64_t i = 0; i < kBlock; ++i) bad |= static_cast<uint32_t>((words[i] & kExponent) == kExponent);
  return bad != 0;
}

/// The first word that is no id below `limit`, or, where that is 0, no finite number; -1 if there is none. A negative
/// id is a large word.
int64_t FirstBad(const uint32_t* words, int64_t count, uint32_t limit) {
  int64_t i = 0;
  for (; i + kBlock <= count; i += kBlock) {
    if (limit > 0 ? BlockHasBadId(words + i, limit) : BlockHasBadNumber(words + i)) break;
  }
  for (; i < count; ++i) {
    if (IsBad(words[i], limit)) return i;
  }
  return -1;
}

[[noreturn]] void Reject(const std::string& text) { throw Error(ErrorCode::kInvalidArgument, text); }

void CheckRange(const char* name, int64_t value, int64_t least) {
  if (value >= least && value <= kLargestDimension) return;
  Reject("Expected an integer from " + std::to_string(least) + " to 2147483647 for " + name + " but received " +
         std::to_string(value));
}

HostArray<uint32_t> WordsFor(int64_t rows, int64_t width, const char* what) {
  if (rows > kMostElements / std::max<int64_t>(width, 1)) {
    ThrowOutOfHostMemory(static_cast<size_t>(rows) * static_cast<size_t>(width) * sizeof(uint32_t), what);
  }
  return HostArray<uint32_t>(static_cast<size_t>(rows * width), what);
}

}  // namespace

Dataset::Dataset(const DatasetShape& shape) : shape_(shape) {
  CheckRange("rows", shape.rows, 1);
  CheckRange("inputWidth", shape.input_width, 1);
  CheckRange("vocabulary", shape.vocabulary, 0);
  CheckRange("targetWidth", shape.target_width, 0);
  CheckRange("classes", shape.classes, 0);
  inputs_.words = WordsFor(shape.rows, shape.input_width, "the inputs of a data set");
  inputs_.width = shape.input_width;
  inputs_.limit = shape.vocabulary;
  if (shape.target_width > 0) {
    targets_.words = WordsFor(shape.rows, shape.target_width, "the targets of a data set");
  }
  targets_.width = shape.target_width;
  targets_.limit = shape.classes;
}

template <class T>
int64_t Dataset::Append(Rows& rows, const char* name, const T* values, int64_t count) {
  static_assert(sizeof(T) == sizeof(uint32_t));
  constexpr bool kIds = std::is_integral_v<T>;
  if (rows.width == 0)
    Reject(std::string("Expected no ") + name + " but the data set was made without them and received some");
  if (kIds != (rows.limit > 0)) {
    Reject(std::string("Expected ") + (kIds ? "a Float32Array" : "an Int32Array") + " for " + name + " but received " +
           (kIds ? "an Int32Array" : "a Float32Array"));
  }
  const int64_t filled = rows.filled.load(std::memory_order_relaxed);
  if (count % rows.width != 0 || count / rows.width > shape_.rows - filled) {
    Reject(std::string("Expected at most ") + std::to_string(shape_.rows - filled) + " whole rows of " +
           std::to_string(rows.width) + " for " + name + " but received " + std::to_string(count) + " elements");
  }
  if (count == 0) return -1;
  uint32_t* words = rows.words.data() + filled * rows.width;
  std::memcpy(words, values, static_cast<size_t>(count) * sizeof(T));
  const int64_t bad = FirstBad(words, count, static_cast<uint32_t>(rows.limit));
  if (bad < 0) rows.filled.store(filled + count / rows.width, std::memory_order_release);
  return bad;
}

int64_t Dataset::AppendInputs(const int32_t* values, int64_t count) { return Append(inputs_, "inputs", values, count); }
int64_t Dataset::AppendInputs(const float* values, int64_t count) { return Append(inputs_, "inputs", values, count); }
int64_t Dataset::AppendTargets(const int32_t* values, int64_t count) {
  return Append(targets_, "targets", values, count);
}
int64_t Dataset::AppendTargets(const float* values, int64_t count) {
  return Append(targets_, "targets", values, count);
}

}  // namespace slim
