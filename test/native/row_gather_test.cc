// Rows put side by side by one thread or several.

#include "program/row_gather.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "arrays.h"
#include "test.h"

namespace slim::test {
namespace {

// Of all lengths below and above what one thread takes, with bytes around them that must not be touched.
TEST("rows come side by side in the order that is asked for, however long and many they are") {
  RowGather gather;
  for (const size_t row_bytes : {size_t{1}, size_t{4}, size_t{60}, size_t{2000}, size_t{300000}}) {
    for (const int64_t count : {1, 7, 300, 1000}) {
      if (row_bytes * static_cast<size_t>(count) > size_t{10} << 20) continue;
      const int64_t there = count + 3;
      std::vector<uint8_t> rows(static_cast<size_t>(there) * row_bytes);
      for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<uint8_t>(i * 7 + i / row_bytes * 13);
      const IntArray order = RandomInts(count, static_cast<int32_t>(there), 1);
      std::vector<uint8_t> expected(static_cast<size_t>(count) * row_bytes + 2, 0xAB), out = expected;
      for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
        std::memcpy(&expected[1 + i * row_bytes], &rows[static_cast<size_t>(order[i]) * row_bytes], row_bytes);
      }
      gather.Gather(rows.data(), row_bytes, order.data(), count, &out[1]);
      EXPECT(out == expected);
    }
  }
}

TEST("bytes that follow one another are copied, however many they are") {
  RowGather gather;
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{1000}, (size_t{1} << 20) + 5}) {
    std::vector<uint8_t> from(bytes + 1), out(bytes + 2, 0xAB);
    std::iota(from.begin(), from.end(), uint8_t{0});
    gather.Copy(from.data(), bytes, &out[1]);
    EXPECT(std::equal(out.begin() + 1, out.end() - 1, from.begin()) && out.front() == 0xAB && out.back() == 0xAB);
  }
}

}  // namespace
}  // namespace slim::test
