#include <stdexcept>

#include "peer.h"

namespace peer {

std::string Name() { return ""; }

void UseThreads(int) {}

void Multiply(bool, long, long, long, const float*, const float*, float*) {
  throw std::logic_error("this benchmark was built without a peer");
}

}  // namespace peer
