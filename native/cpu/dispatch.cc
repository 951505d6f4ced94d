#include "cpu/dispatch.h"

#include <cstdlib>
#include <string>

#include "errors.h"

namespace slim {
namespace {

struct NamedTarget {
  CpuTarget target;
  const char* option;
  const char* name;
};

constexpr NamedTarget kTargets[] = {
    {CpuTarget::kBaseline, "baseline", "baseline"},
    {CpuTarget::kSse4, "sse4", "SSE4"},
    {CpuTarget::kAvx2, "avx2", "AVX2"},
    {CpuTarget::kAvx512, "avx512", "AVX-512"},
};

// Whether the CPU and the system run what Highway lets the compiler use for the target (its set_macros-inl.h).
bool CpuSupports([[maybe_unused]] CpuTarget target) {
  if (target == CpuTarget::kBaseline) return true;
#if HWY_ARCH_X86
  __builtin_cpu_init();
  const bool sse4 = __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("sse4.2") &&
                    __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("aes");
  const bool avx2 = sse4 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512cd");
  switch (target) {
    case CpuTarget::kSse4:
      return sse4;
    case CpuTarget::kAvx2:
      return avx2;
    case CpuTarget::kAvx512:
      return avx512;
    case CpuTarget::kBaseline:
      return true;
  }
#endif
  return false;
}

constexpr bool BinaryHas(CpuTarget target) {
  switch (target) {
    case CpuTarget::kSse4:
      return (HWY_TARGETS & HWY_SSE4) != 0;
    case CpuTarget::kAvx2:
      return (HWY_TARGETS & HWY_AVX2) != 0;
    case CpuTarget::kAvx512:
      return (HWY_TARGETS & HWY_AVX3) != 0;
    case CpuTarget::kBaseline:
      return true;
  }
  return false;
}

bool CanUse(CpuTarget target) { return BinaryHas(target) && CpuSupports(target); }

std::string UsableOptions() {
  std::string options;
  for (const NamedTarget& named : kTargets) {
    if (!CanUse(named.target)) continue;
    if (!options.empty()) options += ", ";
    options += named.option;
  }
  return options;
}

CpuTarget Choose() {
  if (const char* asked = std::getenv("SLIM_LSTM_CPU"); asked != nullptr && *asked != '\0') {
    for (const NamedTarget& named : kTargets) {
      if (std::string(asked) == named.option && CanUse(named.target)) return named.target;
    }
    throw Error(ErrorCode::kDevice, "Expected one of " + UsableOptions() +
                                        " for the environment variable SLIM_LSTM_CPU on this CPU but received " +
                                        asked);
  }
  CpuTarget best = CpuTarget::kBaseline;
  for (const NamedTarget& named : kTargets) {
    if (CanUse(named.target)) best = named.target;
  }
  return best;
}

}  // namespace

CpuTarget ChosenCpuTarget() {
  static const CpuTarget chosen = Choose();
  return chosen;
}

const char* NameOf(CpuTarget target) {
#if HWY_ARCH_ARM
  if (target == CpuTarget::kBaseline) return "NEON";
#endif
  for (const NamedTarget& named : kTargets) {
    if (named.target == target) return named.name;
  }
  return "unknown";
}

}  // namespace slim
