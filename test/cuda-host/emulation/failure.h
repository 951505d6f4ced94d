#pragma once

#include <stdexcept>
#include <string>

namespace emulated {

/// A kernel, or the code that launches kernels, did what no device allows. The message names kernel, block and thread.
class Failure : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

}  // namespace emulated
