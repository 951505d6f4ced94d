#pragma once

#include <optional>

namespace slim {

/// Nanoseconds that a cache line takes from one processor to another and back, the faster of two samples; none where
/// this process may use one processor alone. The two are the first that it may use, whichever thread asks.
///
/// A virtual machine's processors lie now on neighbouring cores, now on cores that share no cache. Threads that pass
/// data to one another then wait longer, while neither arithmetic nor the bandwidth of memory tells a difference.
std::optional<double> RoundTripNanoseconds();

}  // namespace slim
