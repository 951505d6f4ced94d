// Times the operations of the Kent & Salem network below its recurrence, forward and backward, on made-up posts whose
// lengths and word frequencies are like those of 20 Newsgroups: 229 of 1000 positions are words on average, the rest is
// padding in front, and words follow Zipf's law.
//
// Prints for each operation the shortest and the median time, the shortest processor time of all threads together (the
// figure to look at while others use a processor), and where it is a product the GF/s that it would have if all of its
// multiply-adds were done, padding and zeros included: more than the machine can do where work is saved.
#pragma once

#include <cstdint>

#include "backend.h"

namespace slim {

/// Each time is that of `passes` in a row, which a device may have recorded, divided by them.
void TimeConvolutionNetwork(Backend& backend, int64_t batch, int repetitions, int passes);

}  // namespace slim
