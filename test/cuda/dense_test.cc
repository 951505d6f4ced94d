#include "devices.h"
#include "test.h"

namespace slim::test {
namespace {

// Which gradients are asked for.
struct Wanted {
  bool kernel, bias, input;
};

void ExpectDense(const DenseShape& shape, int64_t batch, Wanted wanted, bool biased = true,
                 const Closeness& closeness = {}) {
  const auto run = [&](Bench& bench) {
    const int64_t rows = batch * shape.rows_per_sample;
    const float* x = bench.Put(RandomFloats(rows * shape.inputs, 1));
    const float* kernel = bench.Put(RandomFloats(shape.inputs * shape.units, 2, 0.3f));
    const float* bias = biased ? bench.Put(RandomFloats(shape.units, 3)) : nullptr;
    float* dy = bench.Put(RandomFloats(rows * shape.units, 4));
    float* y = bench.Space(rows * shape.units);
    float* dkernel = wanted.kernel ? bench.Space(shape.inputs * shape.units) : nullptr;
    float* dbias = wanted.bias ? bench.Space(shape.units) : nullptr;
    float* dx = wanted.input ? bench.Space(rows * shape.inputs) : nullptr;
    void* scratch = bench.Scratch(bench->DenseScratchBytes(shape, batch, true));
    bench->DenseForward(shape, batch, x, kernel, bias, y, scratch);
    bench->DenseBackward(shape, batch, x, kernel, y, dy, dkernel, dbias, dx, scratch);
    Outputs outputs = {{"y", bench.Get(y, rows * shape.units)}};
    if (wanted.kernel) outputs.push_back({"dkernel", bench.Get(dkernel, shape.inputs * shape.units)});
    if (wanted.bias) outputs.push_back({"dbias", bench.Get(dbias, shape.units)});
    if (wanted.input) outputs.push_back({"dx", bench.Get(dx, rows * shape.inputs)});
    return outputs;
  };
  ExpectSameAsCpu(run, closeness.tolerance, closeness.precision);
}

TEST("a dense layer and its gradients equal the CPU's at small and odd sizes") {
  const int64_t sizes[][3] = {{1, 1, 1}, {3, 5, 7}, {33, 20, 36}, {65, 17, 1}, {7, 130, 66}, {40, 64, 20}};
  for (const auto& [rows, inputs, units] : sizes) {
    for (const Activation activation : {Activation::kLinear, Activation::kRelu, Activation::kTanh}) {
      ExpectDense({1, inputs, units, activation}, rows, {true, true, true});
    }
  }
}

TEST("large tiles, and sums over many rows, give what small ones give") {
  ExpectDense({1, 24, 132, Activation::kSigmoid}, 400, {true, true, true});
  ExpectDense({9, 4, 8, Activation::kHardSigmoid}, 150, {true, true, false});
}

TEST("gradients that are not wanted, and a bias that is not there, are left out") {
  ExpectDense({2, 12, 9, Activation::kRelu}, 5, {false, true, true});
  ExpectDense({2, 12, 9, Activation::kTanh}, 5, {true, false, false}, false);
  ExpectDense({2, 12, 8, Activation::kRelu}, 5, {true, false, true}, false);
  ExpectDense({2, 12, 8, Activation::kLinear}, 5, {false, true, false});
}

// Without relu, whose gradient jumps where rounding moves an output over zero.
TEST("in tf32 and bfloat16 a dense layer is as close to the CPU's as they are") {
  for (const Closeness& closeness : kReducedPrecisions) {
    ExpectDense({1, 33, 20, Activation::kTanh}, 65, {true, true, true}, true, closeness);
    ExpectDense({3, 40, 64, Activation::kSigmoid}, 50, {true, true, true}, true, closeness);
    ExpectDense({1, 24, 132, Activation::kLinear}, 400, {true, false, true}, false, closeness);
  }
}

}  // namespace
}  // namespace slim::test
