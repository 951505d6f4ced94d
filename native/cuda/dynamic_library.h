#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cuda/library.h"

/// Libraries of NVIDIA's that are found when the program runs, never linked: the device does without them, slower.
namespace slim::cuda {

struct VendorLibrary {
  const char* name;                // for people, such as "cuBLASLt"
  std::vector<std::string> files;  // names to look for, the preferred one first, such as "libcublasLt.so.13"
  const char* remedy;              // what installs it
};

/// A library that was opened, for the life of the process, or why none was.
class DynamicLibrary {
 public:
  /// Looks, in this order, in the folders of SLIM_LSTM_CUDA_LIBRARIES (separated by colons), on the loader's own path,
  /// in the CUDA toolkit's folder ($CUDA_HOME, $CUDA_PATH, /usr/local/cuda), and where pip and conda put NVIDIA's
  /// packages. A folder of the first kind may also be one that pip fills (site-packages).
  static DynamicLibrary Open(const VendorLibrary& library);

  bool is_open() const { return handle_ != nullptr; }
  /// Of the file; empty where none was opened.
  const std::string& path() const { return path_; }
  /// What was tried and what to do; empty where it is open.
  const std::string& reason() const { return reason_; }

  /// Writes the address of a function to `function`; false where the library has none of that name, and then reason()
  /// says so.
  template <class Function>
  bool Bind(const char* symbol, Function*& function) {
    function = reinterpret_cast<Function*>(Find(symbol));
    return function != nullptr;
  }

  /// Whether another file is there that the library opens by itself, in its own folder or on the loader's path; where
  /// it is not, reason() says so. To call a library without such a file may end the process.
  bool Accompanied(const char* file);

  /// What is told of it to people. `version` as cuBLASLt and cuDNN count since 9: 10000 * major + 100 * minor + patch;
  /// 0 where it is not known.
  VendorLibraryReport Report(size_t version) const;

 private:
  void* Find(const char* symbol);

  std::string name_;
  std::string remedy_;
  void* handle_ = nullptr;
  std::string path_;
  std::string reason_;
};

/// A library's functions, whose pointers are members of `Functions`, and what is told of it; opened once in the life of
/// the process. The functions are there where the report has no reason.
template <class Functions>
struct VendorFunctions {
  Functions functions{};
  VendorLibraryReport report;
};

}  // namespace slim::cuda
