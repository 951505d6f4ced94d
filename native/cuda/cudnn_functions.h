#pragma once

#include <cudnn.h>

#include <string>

#include "cuda/check.h"
#include "cuda/dynamic_library.h"
#include "cuda/vendor_handle.h"

/// cuDNN as it is found at run time: its functions, its errors and the lives of its objects.
namespace slim::cuda::dnn {

/// The functions of cuDNN that are used, found at run time; their types are those of its headers.
struct Functions {
  decltype(&cudnnGetVersion) get_version;
  decltype(&cudnnGetCudartVersion) get_cuda_version;
  decltype(&cudnnGetErrorString) get_error_string;
  decltype(&cudnnGetLastErrorString) get_last_error;
  decltype(&cudnnCreate) create;
  decltype(&cudnnDestroy) destroy;
  decltype(&cudnnSetStream) set_stream;
  decltype(&cudnnCreateRNNDescriptor) create_rnn;
  decltype(&cudnnDestroyRNNDescriptor) destroy_rnn;
  decltype(&cudnnSetRNNDescriptor_v8) set_rnn;
  decltype(&cudnnCreateDropoutDescriptor) create_dropout;
  decltype(&cudnnDestroyDropoutDescriptor) destroy_dropout;
  decltype(&cudnnSetDropoutDescriptor) set_dropout;
  decltype(&cudnnCreateRNNDataDescriptor) create_data;
  decltype(&cudnnDestroyRNNDataDescriptor) destroy_data;
  decltype(&cudnnSetRNNDataDescriptor) set_data;
  decltype(&cudnnCreateTensorDescriptor) create_tensor;
  decltype(&cudnnDestroyTensorDescriptor) destroy_tensor;
  decltype(&cudnnSetTensorNdDescriptor) set_tensor;
  decltype(&cudnnGetRNNWeightSpaceSize) weight_space_size;
  decltype(&cudnnGetRNNTempSpaceSizes) temp_space_sizes;
  decltype(&cudnnGetRNNWeightParams) weight_params;
  decltype(&cudnnRNNForward) forward;
  decltype(&cudnnRNNBackwardData_v8) backward_data;
  decltype(&cudnnRNNBackwardWeights_v8) backward_weights;
};

using Opened = VendorFunctions<Functions>;

/// cuDNN multiplies through the cuBLASLt of its own CUDA, which it opens by name alone: that finds the one opened here,
/// wherever it lies. Returns why there is none; empty where there is.
inline std::string WhyNoProducts(size_t cuda_version) {
  return DynamicLibrary::Open({"cuBLASLt, which cuDNN needs,",
                               {"libcublasLt.so." + std::to_string(cuda_version / 1000)},
                               "install the CUDA toolkit's cuBLAS or its Python package (pip install nvidia-cublas)"})
      .reason();
}

inline Opened Open() {
  DynamicLibrary library = DynamicLibrary::Open(
      {"cuDNN", {"libcudnn.so.9"}, "install cuDNN 9 or its Python package (pip install nvidia-cudnn-cu13)"});
  Opened opened;
  Functions& f = opened.functions;
  // Without the parts that it opens by itself, libcudnn.so.9 ends the process at the first call.
  const bool complete =
      library.Accompanied("libcudnn_graph.so.9") && library.Accompanied("libcudnn_ops.so.9") &&
      library.Accompanied("libcudnn_adv.so.9") && library.Bind("cudnnGetVersion", f.get_version) &&
      library.Bind("cudnnGetCudartVersion", f.get_cuda_version) &&
      library.Bind("cudnnGetErrorString", f.get_error_string) &&
      library.Bind("cudnnGetLastErrorString", f.get_last_error) && library.Bind("cudnnCreate", f.create) &&
      library.Bind("cudnnDestroy", f.destroy) && library.Bind("cudnnSetStream", f.set_stream) &&
      library.Bind("cudnnCreateRNNDescriptor", f.create_rnn) &&
      library.Bind("cudnnDestroyRNNDescriptor", f.destroy_rnn) && library.Bind("cudnnSetRNNDescriptor_v8", f.set_rnn) &&
      library.Bind("cudnnCreateDropoutDescriptor", f.create_dropout) &&
      library.Bind("cudnnDestroyDropoutDescriptor", f.destroy_dropout) &&
      library.Bind("cudnnSetDropoutDescriptor", f.set_dropout) &&
      library.Bind("cudnnCreateRNNDataDescriptor", f.create_data) &&
      library.Bind("cudnnDestroyRNNDataDescriptor", f.destroy_data) &&
      library.Bind("cudnnSetRNNDataDescriptor", f.set_data) &&
      library.Bind("cudnnCreateTensorDescriptor", f.create_tensor) &&
      library.Bind("cudnnDestroyTensorDescriptor", f.destroy_tensor) &&
      library.Bind("cudnnSetTensorNdDescriptor", f.set_tensor) &&
      library.Bind("cudnnGetRNNWeightSpaceSize", f.weight_space_size) &&
      library.Bind("cudnnGetRNNTempSpaceSizes", f.temp_space_sizes) &&
      library.Bind("cudnnGetRNNWeightParams", f.weight_params) && library.Bind("cudnnRNNForward", f.forward) &&
      library.Bind("cudnnRNNBackwardData_v8", f.backward_data) &&
      library.Bind("cudnnRNNBackwardWeights_v8", f.backward_weights);
  opened.report = library.Report(complete ? f.get_version() : 0);
  if (complete) opened.report.reason = WhyNoProducts(f.get_cuda_version());
  return opened;
}

inline const Opened& Library() {
  static const Opened opened = Open();
  return opened;
}

inline const Functions& Dnn() { return Library().functions; }

/// Tells the status by its name, and what cuDNN has to say of its cause.
inline void Check(cudnnStatus_t status, const char* function) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  char cause[512] = "";
  Dnn().get_last_error(cause, sizeof(cause));
  const bool memory = status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED ||
                      status == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED;
  FailLibrary(memory ? ErrorCode::kOutOfMemory : ErrorCode::kDevice,
              std::string("cuDNN failed in ") + function + ": " + Dnn().get_error_string(status) +
                  (cause[0] == 0 ? "" : std::string(" (") + cause + ")"));
}

/// Whether cuDNN has nothing for what it is asked, for whichever reason; throws where it failed otherwise.
inline bool Refused(cudnnStatus_t status, const char* function) {
  if (CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_NOT_SUPPORTED) return true;
  Check(status, function);
  return false;
}

/// An object of cuDNN's, made with its owner.
template <class Handle, auto Create, auto Destroy>
class Owned : public VendorHandle<Handle, &Dnn, Destroy> {
 public:
  Owned() { Check((Dnn().*Create)(this->Address()), "making its records"); }
};

using DnnHandle = Owned<cudnnHandle_t, &Functions::create, &Functions::destroy>;
using Dropout = Owned<cudnnDropoutDescriptor_t, &Functions::create_dropout, &Functions::destroy_dropout>;
using Rnn = Owned<cudnnRNNDescriptor_t, &Functions::create_rnn, &Functions::destroy_rnn>;
using Rows = Owned<cudnnRNNDataDescriptor_t, &Functions::create_data, &Functions::destroy_data>;
using Tensor = Owned<cudnnTensorDescriptor_t, &Functions::create_tensor, &Functions::destroy_tensor>;

}  // namespace slim::cuda::dnn
