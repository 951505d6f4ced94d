#pragma once

/// Choosing the instruction set at run time.
///
/// Kernels are written once on Google Highway and compiled for each target; a source file gathers them in a table of
/// function pointers, and the table of the chosen target is picked when first asked for. Highway's own chooser lives in
/// its library, which is not linked, so the choice is made here.
///
/// A file of kernels, `native/cpu/thing.cc`, reads:
///
///   #include "cpu/thing.h"                      // what does not depend on the target: ordinary headers, as usual
///
///   #undef HWY_TARGET_INCLUDE
///   #define HWY_TARGET_INCLUDE "cpu/thing.cc"   // this very file
///   #include "cpu/dispatch.h"
///   #include "hwy/foreach_target.h"             // compiles this file once for each further target
///   // Compiled once a target, so after foreach_target.h:     (the comment keeps clang-format from sorting them in)
///   #include "cpu/simd-inl.h"                   // and micro_kernel-inl.h, math-inl.h: whatever the kernels need
///
///   #ifndef SLIM_THING_TABLE                    // declared once, seen by all targets
///   #define SLIM_THING_TABLE
///   namespace slim {
///   struct ThingTable {
///     void (*scale)(size_t count, float factor, float* x);
///   };
///   }
///   #endif
///
///   HWY_BEFORE_NAMESPACE();                     // from here on the target's instructions may be used
///   namespace slim::HWY_NAMESPACE {
///   void Scale(size_t count, float factor, float* x) { ... }
///   extern const ThingTable kThingTable;
///   const ThingTable kThingTable = {Scale};
///   }
///   HWY_AFTER_NAMESPACE();
///
///   #if HWY_ONCE
///   namespace slim {
///   SLIM_CHOOSE_TABLE(ThingTable, kThingTable)  // defines ChosenThingTable()
///   void Scale(size_t count, float factor, float* x) { ChosenThingTable().scale(count, factor, x); }
///   }
///   #endif
///
/// Rules. Only code between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE may touch vectors. A lambda does not inherit
/// the target: write `[&](int i) HWY_ATTR { ... }`, or a struct with a member function, where it touches vectors.
/// Never pass vectors through std:: templates (they are compiled for the baseline). Headers whose names end in
/// -inl.h are compiled once a target and have the toggled include guard instead of #pragma once.

// Four targets at the most keep the compile time down: what the compiler may assume anyway (on ARM: NEON), SSE4, AVX2
// with FMA, AVX-512. Some of the others' names exist in newer versions of Highway only, hence the second step.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS SLIM_DISABLED_TARGETS
#endif

#include "hwy/detect_targets.h"

#ifndef SLIM_DISABLED_TARGETS
#ifdef HWY_AVX3_SPR
#define SLIM_DISABLED_TARGETS (SLIM_DISABLED_EVERYWHERE | HWY_AVX3_ZEN4 | HWY_AVX3_SPR)
#elif defined(HWY_AVX3_ZEN4)
#define SLIM_DISABLED_TARGETS (SLIM_DISABLED_EVERYWHERE | HWY_AVX3_ZEN4)
#else
#define SLIM_DISABLED_TARGETS SLIM_DISABLED_EVERYWHERE
#endif
#define SLIM_DISABLED_EVERYWHERE (HWY_SSSE3 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#endif

namespace slim {

enum class CpuTarget { kBaseline, kSse4, kAvx2, kAvx512 };

/// The best target that this CPU and this binary have, or the one that the environment variable SLIM_LSTM_CPU names
/// (baseline, sse4, avx2, avx512). Settled on the first call. Throws Error (kDevice) if the variable names a target
/// that is unknown or cannot be used here.
CpuTarget ChosenCpuTarget();

/// Such as "AVX-512".
const char* NameOf(CpuTarget target);

}  // namespace slim

#if HWY_TARGETS & HWY_SSE4
#define SLIM_CASE_SSE4(table)    \
  case ::slim::CpuTarget::kSse4: \
    return N_SSE4::table;
#else
#define SLIM_CASE_SSE4(table)
#endif
#if HWY_TARGETS & HWY_AVX2
#define SLIM_CASE_AVX2(table)    \
  case ::slim::CpuTarget::kAvx2: \
    return N_AVX2::table;
#else
#define SLIM_CASE_AVX2(table)
#endif
#if HWY_TARGETS & HWY_AVX3
#define SLIM_CASE_AVX512(table)    \
  case ::slim::CpuTarget::kAvx512: \
    return N_AVX3::table;
#else
#define SLIM_CASE_AVX512(table)
#endif

/// Defines `Chosen<Type>()`, which returns the table of the chosen target. Stands in namespace slim, within #if
/// HWY_ONCE.
#define SLIM_CHOOSE_TABLE(Type, table)          \
  static const Type& Select##Type() {           \
    switch (::slim::ChosenCpuTarget()) {        \
      SLIM_CASE_SSE4(table)                     \
      SLIM_CASE_AVX2(table)                     \
      SLIM_CASE_AVX512(table)                   \
      default:                                  \
        return HWY_STATIC_DISPATCH(table);      \
    }                                           \
  }                                             \
  static const Type& Chosen##Type() {           \
    static const Type& chosen = Select##Type(); \
    return chosen;                              \
  }
