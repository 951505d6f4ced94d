#include "cuda/cublaslt.h"

namespace slim::cuda {

VendorLibraryReport CublasLtLibrary() {
  return {"cuBLASLt", "", "",
          "this build of the CUDA library was compiled without cuBLASLt's headers; install them "
          "(node scripts/cuda-headers.mjs) and build it anew with npm run build:cuda"};
}

std::unique_ptr<CublasLt> CublasLt::Make(Precision) { return nullptr; }

}  // namespace slim::cuda
