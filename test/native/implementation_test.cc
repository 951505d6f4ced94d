// A layer may ask for an implementation; the device is asked for it when a model is made.

#include "caught.h"
#include "cpu/cpu_backend.h"
#include "program/layer_timing.h"
#include "small_models.h"
#include "test.h"

namespace slim::test {
namespace {

constexpr char kNeedsCuda[] =
    "ERR_DEVICE: The implementation 'cudnn' needs a CUDA device but the device is the CPU; use device 'cuda', or the "
    "implementation 'auto', which every device has and a saved model may be loaded with";

LstmSpec Asking(Implementation implementation, bool return_sequences = false) {
  LstmSpec spec = LstmOf(4, StandardCell(), return_sequences);
  spec.implementation = implementation;
  return spec;
}

TEST("every device has its own implementation, and may choose") {
  for (const Implementation implementation : {Implementation::kAuto, Implementation::kSlim}) {
    MakeModel(SpecBuilder::Floats({5, 3}).Lstm(3, Asking(implementation)).Build());
  }
}

TEST("cuDNN is refused on the CPU when the model is made, naming the layer") {
  const ModelSpec one = SpecBuilder::Floats({5, 3})
                            .Lstm(3, Asking(Implementation::kSlim, true))
                            .Lstm(4, Asking(Implementation::kCudnn))
                            .Build();
  EXPECT_EQ(ErrorOf([&] { MakeModel(one); }).text, kNeedsCuda + (" (layer " + one.layers[1].name + ")"));
  const ModelSpec pair =
      SpecBuilder::Floats({5, 3}).Bidirectional(3, Asking(Implementation::kCudnn), Merge::kSum).Build();
  EXPECT_EQ(ErrorOf([&] { MakeModel(pair); }).text, kNeedsCuda + (" (layer " + pair.layers[0].name + ")"));
}

TEST("cuDNN is refused on the CPU when a layer is timed") {
  const auto cpu = MakeCpuBackend(1);
  TimingJob job;
  job.models = {SpecBuilder::Floats({5, 3}).Lstm(3, Asking(Implementation::kCudnn)).Build()};
  EXPECT_EQ(ErrorOf([&] { TimeLayers(*cpu, job, NoListener()); }).text.rfind(kNeedsCuda, 0), size_t{0});
}

}  // namespace
}  // namespace slim::test
