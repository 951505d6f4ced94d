#include "cuda/cublaslt.h"

#include <cublasLt.h>

#include <bit>
#include <compare>
#include <map>
#include <string>
#include <tuple>

#include "cuda/check.h"
#include "cuda/dynamic_library.h"
#include "cuda/vendor_handle.h"

namespace slim::cuda {
namespace {

/// The functions of cuBLASLt that are used, found at run time; their types are those of its headers.
struct Functions {
  decltype(&cublasLtGetVersion) get_version;
  decltype(&cublasLtGetStatusString) get_status_string;
  decltype(&cublasLtCreate) create;
  decltype(&cublasLtDestroy) destroy;
  decltype(&cublasLtMatmulDescCreate) desc_create;
  decltype(&cublasLtMatmulDescDestroy) desc_destroy;
  decltype(&cublasLtMatmulDescSetAttribute) desc_set;
  decltype(&cublasLtMatrixLayoutCreate) layout_create;
  decltype(&cublasLtMatrixLayoutDestroy) layout_destroy;
  decltype(&cublasLtMatmulPreferenceCreate) preference_create;
  decltype(&cublasLtMatmulPreferenceDestroy) preference_destroy;
  decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set;
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic;
  decltype(&cublasLtMatmul) matmul;
};

using Opened = VendorFunctions<Functions>;

Opened Open() {
  // CUDA 12's serves as well: what is used of it has not changed since.
  DynamicLibrary library =
      DynamicLibrary::Open({"cuBLASLt",
                            {"libcublasLt.so.13", "libcublasLt.so.12"},
                            "install the CUDA toolkit's cuBLAS or its Python package (pip install nvidia-cublas)"});
  Opened opened;
  Functions& f = opened.functions;
  const bool complete =
      library.Bind("cublasLtGetVersion", f.get_version) &&
      library.Bind("cublasLtGetStatusString", f.get_status_string) && library.Bind("cublasLtCreate", f.create) &&
      library.Bind("cublasLtDestroy", f.destroy) && library.Bind("cublasLtMatmulDescCreate", f.desc_create) &&
      library.Bind("cublasLtMatmulDescDestroy", f.desc_destroy) &&
      library.Bind("cublasLtMatmulDescSetAttribute", f.desc_set) &&
      library.Bind("cublasLtMatrixLayoutCreate", f.layout_create) &&
      library.Bind("cublasLtMatrixLayoutDestroy", f.layout_destroy) &&
      library.Bind("cublasLtMatmulPreferenceCreate", f.preference_create) &&
      library.Bind("cublasLtMatmulPreferenceDestroy", f.preference_destroy) &&
      library.Bind("cublasLtMatmulPreferenceSetAttribute", f.preference_set) &&
      library.Bind("cublasLtMatmulAlgoGetHeuristic", f.heuristic) && library.Bind("cublasLtMatmul", f.matmul);
  opened.report = library.Report(complete ? f.get_version() : 0);
  return opened;
}

const Opened& Library() {
  static const Opened opened = Open();
  return opened;
}

const Functions& Lt() { return Library().functions; }

std::string ShapeInWords(const ProductShape& shape) {
  return "[" + std::to_string(shape.rows) + ", " + std::to_string(shape.depth) + "] x [" + std::to_string(shape.depth) +
         ", " + std::to_string(shape.columns) + "]";
}

void Check(cublasStatus_t status, const char* function, const std::string& subject) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  FailLibrary(
      status == CUBLAS_STATUS_ALLOC_FAILED ? ErrorCode::kOutOfMemory : ErrorCode::kDevice,
      std::string("cuBLASLt failed in ") + function + " for " + subject + ": " + Lt().get_status_string(status));
}

cublasComputeType_t ComputeType(Precision precision) {
  switch (precision) {
    case Precision::kFloat32:
      return CUBLAS_COMPUTE_32F;
    case Precision::kTf32:
      return CUBLAS_COMPUTE_32F_FAST_TF32;
    case Precision::kBfloat16:
      return CUBLAS_COMPUTE_32F_FAST_16BF;
  }
  return CUBLAS_COMPUTE_32F;
}

/// cuBLASLt's matrices are column-major. Read so, a row-major matrix is its own transpose, and C^T = op(B)^T op(A)^T:
/// B is its first operand, A its second, and its rows are our columns.
cublasLtEpilogue_t Epilogue(ProductEpilogue epilogue) {
  switch (epilogue) {
    case ProductEpilogue::kNone:
      return CUBLASLT_EPILOGUE_DEFAULT;
    case ProductEpilogue::kBias:
      return CUBLASLT_EPILOGUE_BIAS;
    case ProductEpilogue::kRelu:
      return CUBLASLT_EPILOGUE_RELU;
    case ProductEpilogue::kBiasRelu:
      return CUBLASLT_EPILOGUE_RELU_BIAS;
    case ProductEpilogue::kBiasGradient:
      return CUBLASLT_EPILOGUE_BGRADA;
  }
  return CUBLASLT_EPILOGUE_DEFAULT;
}

bool HasBias(ProductEpilogue epilogue) {
  return epilogue == ProductEpilogue::kBias || epilogue == ProductEpilogue::kBiasRelu ||
         epilogue == ProductEpilogue::kBiasGradient;
}

template <class Handle, auto Destroy>
using Owned = VendorHandle<Handle, &Lt, Destroy>;

using LtHandle = Owned<cublasLtHandle_t, &Functions::destroy>;
using Desc = Owned<cublasLtMatmulDesc_t, &Functions::desc_destroy>;
using Layout = Owned<cublasLtMatrixLayout_t, &Functions::layout_destroy>;
using Preference = Owned<cublasLtMatmulPreference_t, &Functions::preference_destroy>;

/// Alignments in bytes, of which cuBLASLt's algorithms ask up to 256.
struct Alignments {
  uint32_t a, b, c, bias;

  auto operator<=>(const Alignments&) const = default;
};

uint32_t AlignmentOf(const void* address) {
  constexpr uintptr_t kMost = 256;
  return static_cast<uint32_t>(uintptr_t{1} << std::countr_zero(reinterpret_cast<uintptr_t>(address) | kMost));
}

struct Key {
  ProductShape shape;
  Alignments alignments;

  auto operator<=>(const Key&) const = default;
};

/// A product as cuBLASLt is told of it, and the algorithm it chose.
struct Plan {
  Desc desc;
  Layout a, b, c;
  cublasLtMatmulAlgo_t algorithm{};
  bool found = false;
};

template <class Value>
void SetDesc(const Plan& plan, cublasLtMatmulDescAttributes_t attribute, const Value& value, const std::string& words) {
  Check(Lt().desc_set(plan.desc, attribute, &value, sizeof(value)), "cublasLtMatmulDescSetAttribute", words);
}

/// The layout, column-major, of a matrix that lies row-major as [rows, columns].
void MakeLayout(Layout& layout, int64_t rows, int64_t columns, int64_t stride, const std::string& words) {
  Check(Lt().layout_create(layout.Address(), CUDA_R_32F, static_cast<uint64_t>(columns), static_cast<uint64_t>(rows),
                           stride),
        "cublasLtMatrixLayoutCreate", words);
}

class CublasLtProducts final : public CublasLt {
 public:
  explicit CublasLtProducts(Precision precision) : compute_type_(ComputeType(precision)) {
    Check(Lt().create(handle_.Address()), "cublasLtCreate", "the device");
  }

  bool Multiply(const ProductShape& shape, const ProductOperands& operands, void* workspace,
                CUstream_st* stream) override {
    const Alignments alignments{AlignmentOf(operands.a), AlignmentOf(operands.b), AlignmentOf(operands.c),
                                HasBias(shape.epilogue) ? AlignmentOf(operands.bias) : 0};
    const Plan& plan = PlanOf({shape, alignments}, operands.bias);
    if (!plan.found) return false;
    const std::string words = ShapeInWords(shape);
    if (HasBias(shape.epilogue)) SetDesc(plan, CUBLASLT_MATMUL_DESC_BIAS_POINTER, operands.bias, words);
    const float one = 1.0f;
    const float beta = shape.accumulate ? 1.0f : 0.0f;
    Check(Lt().matmul(handle_, plan.desc, &one, operands.b, plan.b, operands.a, plan.a, &beta, operands.c, plan.c,
                      operands.c, plan.c, &plan.algorithm, workspace, kWorkspaceBytes, stream),
          "cublasLtMatmul", words);
    return true;
  }

 private:
  const Plan& PlanOf(const Key& key, const float* bias) {
    const auto [place, fresh] = plans_.try_emplace(key);
    if (fresh) {
      try {
        Describe(key.shape, bias, place->second);
        Choose(key, place->second);
      } catch (...) {
        plans_.erase(place);
        throw;
      }
    }
    return place->second;
  }

  void Describe(const ProductShape& shape, const float* bias, Plan& plan) const {
    const std::string words = ShapeInWords(shape);
    Check(Lt().desc_create(plan.desc.Address(), compute_type_, CUDA_R_32F), "cublasLtMatmulDescCreate", words);
    SetDesc(plan, CUBLASLT_MATMUL_DESC_TRANSA, shape.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N, words);
    SetDesc(plan, CUBLASLT_MATMUL_DESC_TRANSB, shape.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N, words);
    SetDesc(plan, CUBLASLT_MATMUL_DESC_EPILOGUE, Epilogue(shape.epilogue), words);
    // The choice of an algorithm looks at the pointer's alignment.
    if (HasBias(shape.epilogue)) SetDesc(plan, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias, words);
    const auto [rows, columns, depth] = std::tuple(shape.rows, shape.columns, shape.depth);
    MakeLayout(plan.a, shape.transpose_a ? depth : rows, shape.transpose_a ? rows : depth, shape.a_stride, words);
    MakeLayout(plan.b, shape.transpose_b ? columns : depth, shape.transpose_b ? depth : columns, shape.b_stride, words);
    MakeLayout(plan.c, rows, columns, shape.c_stride, words);
  }

  void Choose(const Key& key, Plan& plan) const {
    const std::string words = ShapeInWords(key.shape);
    Preference preference;
    Check(Lt().preference_create(preference.Address()), "cublasLtMatmulPreferenceCreate", words);
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
      Check(Lt().preference_set(preference, attribute, &value, sizeof(value)), "cublasLtMatmulPreferenceSetAttribute",
            words);
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, uint64_t{kWorkspaceBytes});
    // Where the depth is split, the parts are summed in the workspace in a fixed order, not in place as they come.
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
           uint32_t{CUBLASLT_REDUCTION_SCHEME_NONE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, key.alignments.b);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, key.alignments.a);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, key.alignments.c);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, key.alignments.c);
    cublasLtMatmulHeuristicResult_t best{};
    int count = 0;
    const cublasStatus_t status =
        Lt().heuristic(handle_, plan.desc, plan.b, plan.a, plan.c, plan.c, preference, 1, &best, &count);
    if (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE) return;
    Check(status, "cublasLtMatmulAlgoGetHeuristic", words);
    plan.found = count > 0 && best.state == CUBLAS_STATUS_SUCCESS;
    plan.algorithm = best.algo;
  }

  cublasComputeType_t compute_type_;
  LtHandle handle_;
  std::map<Key, Plan> plans_;
};

}  // namespace

VendorLibraryReport CublasLtLibrary() { return Library().report; }

std::unique_ptr<CublasLt> CublasLt::Make(Precision precision) {
  if (!Library().report.reason.empty()) return nullptr;
  return std::make_unique<CublasLtProducts>(precision);
}

}  // namespace slim::cuda
