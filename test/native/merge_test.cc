#include "cpu/merge.h"

#include <stdexcept>

#include "arrays.h"
#include "test.h"
#include "thread_pool.h"

namespace slim::test {
namespace {

TEST("sums, products and means of two arrays and their gradients") {
  for (const int64_t count : {1, 19, 40001}) {
    const FloatArray a = RandomFloats(count, 1), b = RandomFloats(count, 2), dy = RandomFloats(count, 3);
    for (const Merge merge : {Merge::kSum, Merge::kMul, Merge::kAve}) {
      FloatArray y_plain, da_plain, db_plain;
      for (size_t i = 0; i < a.size(); ++i) {
        const float factor = merge == Merge::kAve ? 0.5f : 1.0f;
        y_plain.push_back(merge == Merge::kMul ? a[i] * b[i] : factor * (a[i] + b[i]));
        da_plain.push_back(merge == Merge::kMul ? dy[i] * b[i] : factor * dy[i]);
        db_plain.push_back(merge == Merge::kMul ? dy[i] * a[i] : factor * dy[i]);
      }
      ThreadPool pool(2);
      FloatArray y = Unwritten(count), da = dy, db = Unwritten(count);
      MergeForward(pool, merge, count, a.data(), b.data(), y.data());
      MergeBackward(pool, merge, count, a.data(), b.data(), da.data(), da.data(), db.data());
      EXPECT(y == y_plain);
      EXPECT(da == da_plain);
      EXPECT(db == db_plain);
      FloatArray alone = Unwritten(count);
      MergeBackward(pool, merge, count, a.data(), b.data(), dy.data(), nullptr, alone.data());
      EXPECT(alone == db_plain);
    }
  }
}

TEST("concatenation is no operation of two arrays") {
  ThreadPool pool(1);
  FloatArray a(1), y(1);
  EXPECT_THROWS(MergeForward(pool, Merge::kConcat, 1, a.data(), a.data(), y.data()), std::logic_error);
}

}  // namespace
}  // namespace slim::test
