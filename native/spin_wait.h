#pragma once

#include <chrono>

#if defined(__SSE__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace slim {

/// How long a thread looks for what it waits for before it sleeps. Waking a sleeper takes some 5 to 50 us, and the gaps
/// between the regions of a training step are shorter than that; beyond it the core is better left to others.
inline constexpr std::chrono::microseconds kSpinTime{20};

inline void PauseCore() {
#if defined(__SSE__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield" ::: "memory");
#endif
}

/// Waits for `done` without sleeping, for kSpinTime at the most; returns whether it is.
template <class Condition>
bool SpinUntil(const Condition& done) {
  const auto deadline = std::chrono::steady_clock::now() + kSpinTime;
  do {
    for (int i = 0; i < 16; ++i) {
      if (done()) return true;
      PauseCore();
    }
  } while (std::chrono::steady_clock::now() < deadline);
  return done();
}

}  // namespace slim
