#pragma once

#include <string>

/// The library that the products are compared with.
namespace peer {

/// Its name and version, empty where the benchmark was built without it.
std::string Name();

/// Sets how many threads the calls below use.
void UseThreads(int threads);

/// c [m, n] = a * b, row-major and dense: a [m, k], or its transpose [k, m] with `transpose_a`.
void Multiply(bool transpose_a, long m, long n, long k, const float* a, const float* b, float* c);

}  // namespace peer
