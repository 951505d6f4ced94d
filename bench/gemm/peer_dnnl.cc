#include <dnnl.h>
#include <omp.h>

#include <stdexcept>

#include "peer.h"

namespace peer {

std::string Name() {
  const dnnl_version_t* version = dnnl_version();
  return "dnnl_sgemm " + std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
         std::to_string(version->patch);
}

void UseThreads(int threads) { omp_set_num_threads(threads); }

void Multiply(bool transpose_a, long m, long n, long k, const float* a, const float* b, float* c) {
  const char kind = transpose_a ? 'T' : 'N';
  const dnnl_status_t status = dnnl_sgemm(kind, 'N', m, n, k, 1.0f, a, transpose_a ? m : k, b, n, 0.0f, c, n);
  if (status != dnnl_success) throw std::runtime_error("dnnl_sgemm failed with status " + std::to_string(status));
}

}  // namespace peer
