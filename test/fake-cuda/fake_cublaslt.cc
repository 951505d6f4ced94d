// cuBLASLt as its documentation has it, on the host's memory and in plain loops: what the CUDA device asks of it is
// checked without a GPU. Column-major; it refuses what cuBLASLt would.

#include <cublasLt.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <type_traits>
#include <utility>

namespace {

struct Desc {
  cublasComputeType_t compute;
  int32_t transpose_a = CUBLAS_OP_N;
  int32_t transpose_b = CUBLAS_OP_N;
  uint32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  void* bias = nullptr;
};

struct Layout {
  int64_t rows, columns, stride;
};

struct Preference {
  uint64_t workspace = 0;
  uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_MASK;
};

/// What an algorithm was chosen for, so that it is used for nothing else.
struct Choice {
  Layout a, b, c;
  uint32_t epilogue;
};

template <class Own, class Handle>
Own& Of(Handle handle) {
  return *reinterpret_cast<Own*>(const_cast<std::remove_const_t<std::remove_pointer_t<Handle>>*>(handle));
}

bool Same(const Layout& a, const Layout& b) {
  return a.rows == b.rows && a.columns == b.columns && a.stride == b.stride;
}

/// The lowest bits of an operand that are lost before it is multiplied; -1 for what is no product of float32 operands.
int DroppedBits(cublasComputeType_t compute) {
  switch (compute) {
    case CUBLAS_COMPUTE_32F:
      return 0;
    case CUBLAS_COMPUTE_32F_FAST_TF32:
      return 13;
    case CUBLAS_COMPUTE_32F_FAST_16BF:
      return 16;
    default:
      return -1;
  }
}

float Rounded(float value, cublasComputeType_t compute) {
  const int dropped = DroppedBits(compute);
  const uint32_t unit = uint32_t{1} << dropped;
  return std::bit_cast<float>((std::bit_cast<uint32_t>(value) + unit / 2) & ~(unit - 1));
}

float Element(const float* data, const Layout& layout, int32_t operation, int64_t row, int64_t column) {
  if (operation == CUBLAS_OP_T) std::swap(row, column);
  if (row >= layout.rows || column >= layout.columns) std::abort();
  return data[column * layout.stride + row];
}

bool Fits(const Desc& desc, const Layout& a, const Layout& b, const Layout& c) {
  const bool turned_a = desc.transpose_a == CUBLAS_OP_T;
  const bool turned_b = desc.transpose_b == CUBLAS_OP_T;
  const int64_t depth = turned_a ? a.rows : a.columns;
  return (turned_a ? a.columns : a.rows) == c.rows && (turned_b ? b.rows : b.columns) == c.columns &&
         (turned_b ? b.columns : b.rows) == depth && a.stride >= a.rows && b.stride >= b.rows && c.stride >= c.rows;
}

template <class Value>
cublasStatus_t Read(Value& value, const void* buffer, size_t bytes) {
  if (bytes != sizeof(value)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&value, buffer, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace

extern "C" {

size_t cublasLtGetVersion() { return 130203; }

const char* cublasLtGetStatusString(cublasStatus_t status) {
  return status == CUBLAS_STATUS_INVALID_VALUE ? "an invalid value" : "another failure";
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  *handle = reinterpret_cast<cublasLtHandle_t>(new int);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  delete reinterpret_cast<int*>(handle);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* desc, cublasComputeType_t compute, cudaDataType_t scale) {
  if (scale != CUDA_R_32F || DroppedBits(compute) < 0) return CUBLAS_STATUS_INVALID_VALUE;
  *desc = reinterpret_cast<cublasLtMatmulDesc_t>(new Desc{compute});
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc) {
  delete &Of<Desc>(desc);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t handle, cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, size_t bytes) {
  Desc& desc = Of<Desc>(handle);
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return Read(desc.transpose_a, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return Read(desc.transpose_b, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return Read(desc.epilogue, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return Read(desc.bias, value, bytes);
    default:
      return CUBLAS_STATUS_INVALID_VALUE;
  }
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type, uint64_t rows,
                                          uint64_t columns, int64_t stride) {
  if (type != CUDA_R_32F) return CUBLAS_STATUS_INVALID_VALUE;
  *layout = reinterpret_cast<cublasLtMatrixLayout_t>(
      new Layout{static_cast<int64_t>(rows), static_cast<int64_t>(columns), stride});
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete &Of<Layout>(layout);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  *preference = reinterpret_cast<cublasLtMatmulPreference_t>(new Preference);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete &Of<Preference>(preference);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t handle,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, const void* value,
                                                    size_t bytes) {
  Preference& preference = Of<Preference>(handle);
  uint32_t alignment = 0;
  switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
      return Read(preference.workspace, value, bytes);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
      return Read(preference.reductions, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
      return Read(alignment, value, bytes);
    default:
      return CUBLAS_STATUS_INVALID_VALUE;
  }
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t desc_handle,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int wanted,
                                              cublasLtMatmulHeuristicResult_t results[], int* count) {
  const Desc& desc = Of<Desc>(desc_handle);
  const Choice choice{Of<Layout>(a), Of<Layout>(b), Of<Layout>(c), desc.epilogue};
  *count = 0;
  if (wanted < 1 || !Same(choice.c, Of<Layout>(d)) || !Fits(desc, choice.a, choice.b, choice.c)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  // Sums in the order in which parts come are not the same bits each time.
  if ((Of<Preference>(preference).reductions & CUBLASLT_REDUCTION_SCHEME_INPLACE) != 0)
    return CUBLAS_STATUS_INVALID_VALUE;
  // A shape that stands for those that no algorithm serves.
  if (choice.c.rows == 13) return CUBLAS_STATUS_NOT_SUPPORTED;
  results[0] = {};
  static std::deque<Choice> choices;
  const Choice* chosen = &choices.emplace_back(choice);
  std::memcpy(&results[0].algo, &chosen, sizeof(chosen));
  results[0].state = CUBLAS_STATUS_SUCCESS;
  *count = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t desc_handle, const void* alpha, const void* a_data,
                              cublasLtMatrixLayout_t a_layout, const void* b_data, cublasLtMatrixLayout_t b_layout,
                              const void* beta, const void* c_data, cublasLtMatrixLayout_t c_layout, void* d_data,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algo, void*, size_t,
                              cudaStream_t) {
  const Desc& desc = Of<Desc>(desc_handle);
  const Choice now{Of<Layout>(a_layout), Of<Layout>(b_layout), Of<Layout>(c_layout), desc.epilogue};
  const Choice* chosen = nullptr;
  std::memcpy(&chosen, algo, sizeof(chosen));
  if (!Same(now.a, chosen->a) || !Same(now.b, chosen->b) || !Same(now.c, chosen->c) ||
      now.epilogue != chosen->epilogue || !Same(now.c, Of<Layout>(d_layout)) || !Fits(desc, now.a, now.b, now.c)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  // Shapes that stand for those at which a GPU fails, and at which memory lacks.
  if (now.c.rows == 17) return CUBLAS_STATUS_EXECUTION_FAILED;
  if (now.c.rows == 19) return CUBLAS_STATUS_ALLOC_FAILED;
  const auto* a = static_cast<const float*>(a_data);
  const auto* b = static_cast<const float*>(b_data);
  const auto* c = static_cast<const float*>(c_data);
  auto* d = static_cast<float*>(d_data);
  auto* bias = static_cast<float*>(desc.bias);
  const int64_t depth = desc.transpose_a == CUBLAS_OP_T ? now.a.rows : now.a.columns;
  for (int64_t column = 0; column < now.c.columns; ++column) {
    for (int64_t row = 0; row < now.c.rows; ++row) {
      double sum = 0;
      for (int64_t k = 0; k < depth; ++k) {
        const float left = Element(a, now.a, desc.transpose_a, row, k);
        const float right = Element(b, now.b, desc.transpose_b, k, column);
        sum += double{Rounded(left, desc.compute)} * Rounded(right, desc.compute);
      }
      const int64_t at = column * now.c.stride + row;
      const float scaled = *static_cast<const float*>(beta) == 0 ? 0 : *static_cast<const float*>(beta) * c[at];
      float value = *static_cast<const float*>(alpha) * static_cast<float>(sum) + scaled;
      if ((desc.epilogue & CUBLASLT_EPILOGUE_BIAS) != 0) value += bias[row];
      if ((desc.epilogue & CUBLASLT_EPILOGUE_RELU) != 0) value = std::max(value, 0.0f);
      d[at] = value;
    }
  }
  if (desc.epilogue != CUBLASLT_EPILOGUE_BGRADA) return CUBLAS_STATUS_SUCCESS;
  for (int64_t row = 0; row < now.c.rows; ++row) {
    double sum = 0;
    for (int64_t k = 0; k < depth; ++k) sum += Element(a, now.a, desc.transpose_a, row, k);
    bias[row] = static_cast<float>(sum);
  }
  return CUBLAS_STATUS_SUCCESS;
}
}
