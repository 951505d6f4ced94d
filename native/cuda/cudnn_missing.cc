#include "cuda/cudnn.h"

namespace slim::cuda {

VendorLibraryReport CudnnLibrary() {
  return {"cuDNN", "", "",
          "this build of the CUDA library was compiled without cuDNN's headers; install them (node "
          "scripts/cuda-headers.mjs) and build it anew with npm run build:cuda"};
}

std::unique_ptr<CudnnLstm> CudnnLstm::Make(Precision) { return nullptr; }

}  // namespace slim::cuda
