#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "backend.h"
#include "cuda/library.h"
#include "cuda/product_shape.h"

struct CUstream_st;

/// Products through NVIDIA's cuBLASLt. Nothing here launches a kernel of ours, and no header of CUDA is needed to call
/// it; where the library was compiled without cuBLASLt's headers, it reports just that and opens nothing.
namespace slim::cuda {

/// Whether cuBLASLt was found, and where. The library is looked for once in the life of the process.
VendorLibraryReport CublasLtLibrary();

/// One thread at a time may use it; products are enqueued, and may be while a graph is captured in the relaxed mode.
class CublasLt {
 public:
  /// Null where cuBLASLt is not there: then CublasLtLibrary says why. Of the device that is current.
  static std::unique_ptr<CublasLt> Make(Precision precision);
  virtual ~CublasLt() = default;

  /// Memory for `workspace`, 256-byte aligned; the size NVIDIA names for the newest GPUs.
  static constexpr size_t kWorkspaceBytes = size_t{32} << 20;

  /// Enqueues the product; false, with nothing done, where cuBLASLt has no algorithm for it. The same shapes, and the
  /// same alignments of the operands, give the same algorithm and the same bits. Throws Error (kDevice).
  virtual bool Multiply(const ProductShape& shape, const ProductOperands& operands, void* workspace,
                        CUstream_st* stream) = 0;
};

}  // namespace slim::cuda
