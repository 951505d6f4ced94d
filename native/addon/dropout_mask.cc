#include "addon/dropout_mask.h"

#include <limits>

#include "addon/arguments.h"
#include "addon/float_array.h"
#include "addon/guarded.h"
#include "philox.h"

namespace slim::addon {
namespace {

constexpr int64_t kMostElements = int64_t{1} << 28;

}  // namespace

Napi::Value DropoutMask(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&]() -> Napi::Value {
    constexpr int64_t kMostWord = std::numeric_limits<uint32_t>::max();
    const Napi::Object options = ReadObject(info[0], "options");
    RandomStream stream;
    stream.seed = static_cast<uint64_t>(ReadInteger(options, "seed", 0, kMostSafeInteger));
    stream.step = static_cast<uint32_t>(ReadInteger(options, "step", 0, kMostWord));
    stream.stream = static_cast<uint32_t>(ReadInteger(options, "stream", 0, kMostWord));
    const int64_t count = ReadInteger(options, "count", 0, kMostElements);
    const float rate = ReadFloat(options, "rate");
    if (rate < 0.0f || rate >= 1.0f) RejectValue("a number in [0, 1)", "rate", options.Get("rate"));
    HostArray<float> mask(static_cast<size_t>(count), "a dropout mask");
    const uint32_t threshold = DropThreshold(rate);
    const float kept = 1.0f / (1.0f - rate);
    for (int64_t i = 0; i < count; ++i) {
      mask[static_cast<size_t>(i)] = stream.Word(static_cast<uint64_t>(i)) < threshold ? 0.0f : kept;
    }
    return FloatArray(info.Env(), std::move(mask));
  });
}

}  // namespace slim::addon
