#include "cpu/cpu_backend.h"

#include <cstring>
#include <thread>

#include "arrays.h"
#include "caught.h"
#include "test.h"

namespace slim::test {
namespace {

TEST("the device tells what it is") {
  EXPECT_EQ(MakeCpuBackend(1)->Description(), "cpu (" + CpuInfo().target + ", 1 thread)");
  EXPECT_EQ(MakeCpuBackend(3)->Description(), "cpu (" + CpuInfo().target + ", 3 threads)");
  EXPECT(CpuInfo().cores >= 1);
  EXPECT_THROWS(MakeCpuBackend(-1), Error);
}

TEST("memory is aligned, and more than there can be is refused by name") {
  const std::unique_ptr<Backend> backend = MakeCpuBackend(1);
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{1000}, size_t{5} << 20}) {
    void* memory = backend->Allocate(bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % 256, uintptr_t{0});
    backend->Free(memory);
  }
  const Caught error = ErrorOf([&] { backend->Free(backend->Allocate(SIZE_MAX - 100)); });
  EXPECT(error.code == ErrorCode::kOutOfMemory);
}

TEST("bytes go up, across and down unchanged") {
  const std::unique_ptr<Backend> backend = MakeCpuBackend(2);
  const FloatArray values = RandomFloats(300001, 1);
  const size_t bytes = values.size() * sizeof(float);
  void* first = backend->Allocate(bytes);
  void* second = backend->Allocate(bytes);
  backend->Upload(first, values.data(), bytes);
  backend->Zero(second, bytes);
  FloatArray read = Unwritten(static_cast<int64_t>(values.size()));
  backend->Download(read.data(), second, bytes);
  EXPECT(read == FloatArray(values.size(), 0.0f));
  backend->Copy(second, first, bytes);
  backend->Download(read.data(), second, bytes);
  EXPECT(read == values);
  backend->Free(first);
  backend->Free(second);
}

TEST("rows are gathered in the order given, from the step's first row on") {
  const std::unique_ptr<Backend> backend = MakeCpuBackend(2);
  const IntArray order = {4, 0, 3, 3, 1};
  for (const size_t width : {size_t{1}, size_t{1000}}) {
    const IntArray source = RandomInts(static_cast<int64_t>(5 * width), 1000, 2);
    StepValues step;
    step.first_row = 2;
    backend->SetStep(step);
    IntArray gathered(3 * width, -1);
    backend->GatherRows(source.data(), width * sizeof(int32_t), order.data(), 3, gathered.data());
    for (size_t row = 0; row < 3; ++row) {
      const int32_t* expected = source.data() + static_cast<size_t>(order[row + 2]) * width;
      EXPECT_EQ(std::memcmp(gathered.data() + row * width, expected, width * sizeof(int32_t)), 0);
    }
  }
}

TEST("the mask of tokens is 0 where the token is 0") {
  const std::unique_ptr<Backend> backend = MakeCpuBackend(1);
  const IntArray tokens = {0, 1, 256, 0, 65536, 7};
  std::vector<uint8_t> mask(tokens.size(), 9);
  backend->TokenMask(tokens.data(), static_cast<int64_t>(tokens.size()), mask.data());
  EXPECT(mask == (std::vector<uint8_t>{0, 1, 1, 0, 1, 1}));
}

}  // namespace
}  // namespace slim::test
