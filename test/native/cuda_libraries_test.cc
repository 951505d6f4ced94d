// NVIDIA's libraries are found where people have them, and what was tried is told where they are not.

#if defined(__linux__)

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "cuda/cudnn.h"
#include "cuda/dynamic_library.h"
#include "small_models.h"
#include "test.h"

namespace slim::test {
namespace {

using cuda::DynamicLibrary;

namespace fs = std::filesystem;

// Set for the life of the object.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) { setenv(name, value.c_str(), 1); }
  ~Variable() { unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

// A folder of its own with any library under a name that no system has.
class Folder {
 public:
  explicit Folder(const std::string& below) {
    std::string name = (fs::temp_directory_path() / "slim-lstm-XXXXXX").string();
    root_ = mkdtemp(name.data());
    fs::create_directories(root_ / below);
    fs::copy_file(SLIM_LSTM_FAKE_CUDA_LIBRARY, root_ / below / "libslim_lstm_vendor.so.13");
  }
  ~Folder() { fs::remove_all(root_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string path() const { return root_.string(); }

 private:
  fs::path root_;
};

DynamicLibrary OpenVendor() {
  return DynamicLibrary::Open({"Vendor", {"libslim_lstm_vendor.so.13", "libslim_lstm_vendor.so.12"}, "buy it"});
}

TEST("a library is found in a named folder, in pip's folders below one, in the toolkit and in virtual environments") {
  const struct {
    const char* variable;
    const char* below;  // of the folder that the variable names
  } places[] = {
      {"SLIM_LSTM_CUDA_LIBRARIES", "."},
      {"SLIM_LSTM_CUDA_LIBRARIES", "nvidia/cu13/lib"},
      {"SLIM_LSTM_CUDA_LIBRARIES", "nvidia/cublas/lib"},
      {"CUDA_HOME", "lib64"},
      {"CUDA_PATH", "lib64"},
      {"VIRTUAL_ENV", "lib/python3.12/site-packages/nvidia/cudnn/lib"},
      {"CONDA_PREFIX", "lib"},
      {"HOME", ".local/lib/python3.9/site-packages/nvidia/cu13/lib"},
  };
  for (const auto& [variable, below] : places) {
    const Folder folder(below);
    const Variable set(variable, folder.path());
    const DynamicLibrary library = OpenVendor();
    EXPECT_EQ(library.reason(), "");
    EXPECT_EQ(library.is_open(), true);
    EXPECT_EQ(library.path().rfind(folder.path(), 0), size_t{0});
  }
}

TEST("a library that is nowhere is told with the names, the places and the remedies") {
  const Variable set("SLIM_LSTM_CUDA_LIBRARIES", "/no/such/folder");
  const DynamicLibrary library = OpenVendor();
  EXPECT_EQ(library.is_open(), false);
  for (const char* word : {"Vendor was not found", "libslim_lstm_vendor.so.13", "libslim_lstm_vendor.so.12",
                           "/no/such/folder", "the loader's path", "buy it", "SLIM_LSTM_CUDA_LIBRARIES"}) {
    EXPECT(library.reason().find(word) != std::string::npos);
  }
}

TEST("a file that is no library is told with the loader's words") {
  const Folder folder(".");
  std::ofstream(folder.path() + "/libslim_lstm_vendor.so.13") << std::string(1000, '?');
  const Variable set("SLIM_LSTM_CUDA_LIBRARIES", folder.path());
  EXPECT(OpenVendor().reason().find("invalid ELF header") != std::string::npos);
}

TEST("a library that lacks a file of its own is told with its name") {
  const Folder folder(".");
  const Variable set("SLIM_LSTM_CUDA_LIBRARIES", folder.path());
  DynamicLibrary library = OpenVendor();
  std::ofstream(folder.path() + "/libslim_lstm_part.so.13") << "a part";
  EXPECT_EQ(library.Accompanied("libslim_lstm_part.so.13"), true);
  EXPECT_EQ(library.Accompanied("libc.so.6"), true);
  EXPECT_EQ(library.reason(), "");
  EXPECT_EQ(library.Accompanied("libslim_lstm_other.so.13"), false);
  EXPECT_EQ(library.reason(), folder.path() +
                                  "/libslim_lstm_vendor.so.13 was found without "
                                  "libslim_lstm_other.so.13, which it needs; buy it");
}

TEST("a library that lacks a function is told with its name") {
  const Folder folder(".");
  const Variable set("SLIM_LSTM_CUDA_LIBRARIES", folder.path());
  DynamicLibrary library = OpenVendor();
  int (*function)() = nullptr;
  EXPECT_EQ(library.Bind("slim_lstm_cuda_api_version", function), true);
  EXPECT_EQ(library.reason(), "");
  EXPECT_EQ(library.Bind("no_such_function", function), false);
  EXPECT(library.reason().find("has no no_such_function") != std::string::npos);
}

TEST("cuDNN is asked for the standard layer alone") {
  RecurrenceShape standard{};
  standard.cell = StandardCell();
  standard.steps = 7;
  standard.inputs = 3;
  standard.units = 5;
  EXPECT_EQ(cuda::WhyNotCudnn(standard, false), "");
  EXPECT(!cuda::WhyNotCudnn(standard, true).empty());

  RecurrenceShape other = standard;
  other.cell = MixedCell();
  EXPECT(!cuda::WhyNotCudnn(other, false).empty());
  other = standard;
  other.cell.activation = Activation::kRelu;
  EXPECT(!cuda::WhyNotCudnn(other, false).empty());
  other = standard;
  other.cell.gate_activation = Activation::kHardSigmoid;
  EXPECT(!cuda::WhyNotCudnn(other, false).empty());
  other = standard;
  other.recurrent_dropout = 0.1f;
  EXPECT(!cuda::WhyNotCudnn(other, false).empty());
  other = standard;
  other.reverse = true;
  EXPECT_EQ(cuda::WhyNotCudnn(other, false), "");
  other = standard;
  for (BlockTerms& block : other.cell.blocks) block.bias = false;
  EXPECT_EQ(cuda::WhyNotCudnn(other, false), "");
  other.cell.blocks[kForgetGate].bias = true;
  EXPECT(!cuda::WhyNotCudnn(other, false).empty());
}

}  // namespace
}  // namespace slim::test

#endif
