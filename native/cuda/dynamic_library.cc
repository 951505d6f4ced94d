#include "cuda/dynamic_library.h"

#include <dlfcn.h>
#include <glob.h>
#include <link.h>
#include <unistd.h>

#include <cstdlib>

#include "cuda/split.h"

namespace slim::cuda {
namespace {

constexpr char kFoldersVariable[] = "SLIM_LSTM_CUDA_LIBRARIES";

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::vector<std::string> Matches(const std::string& pattern) {
  glob_t found{};
  std::vector<std::string> paths;
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0) paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
  return paths;
}

/// Folders below one that pip fills: nvidia/cublas/lib, and nvidia/cu13/lib since CUDA 13.
std::vector<std::string> PipFolders(const std::string& site_packages) {
  return Matches(site_packages + "/nvidia/*/lib");
}

void Append(std::vector<std::string>& folders, const std::vector<std::string>& more) {
  folders.insert(folders.end(), more.begin(), more.end());
}

std::vector<std::string> NamedFolders() {
  std::vector<std::string> folders;
  for (const std::string& folder : Split(Environment(kFoldersVariable), ':')) {
    folders.push_back(folder);
    Append(folders, PipFolders(folder));
  }
  return folders;
}

std::vector<std::string> UsualFolders() {
  std::vector<std::string> folders;
  for (const char* variable : {"CUDA_HOME", "CUDA_PATH"}) {
    const std::string toolkit = Environment(variable);
    if (!toolkit.empty()) folders.push_back(toolkit + "/lib64");
  }
  folders.emplace_back("/usr/local/cuda/lib64");
  for (const char* variable : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
    const std::string prefix = Environment(variable);
    if (prefix.empty()) continue;
    folders.push_back(prefix + "/lib");
    for (const std::string& site : Matches(prefix + "/lib/python3*/site-packages")) Append(folders, PipFolders(site));
  }
  std::vector<std::string> patterns = {"/usr/local/lib/python3*/*-packages", "/usr/lib/python3*/*-packages"};
  const std::string home = Environment("HOME");
  if (!home.empty()) patterns.insert(patterns.begin(), home + "/.local/lib/python3*/site-packages");
  for (const std::string& pattern : patterns) {
    for (const std::string& site : Matches(pattern)) Append(folders, PipFolders(site));
  }
  return folders;
}

/// RTLD_LOCAL: the process may hold another version of the same library, as a Python module's.
void* OpenFile(const std::string& path) { return dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL); }

std::string PathOf(void* handle) {
  struct link_map* map = nullptr;
  return dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map != nullptr ? map->l_name : "";
}

std::string VersionInWords(size_t version) {
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += ", ";
    text += word;
  }
  return text;
}

/// Tries the library's files in the folders; keeps what the loader said of those that are there.
void* OpenIn(const std::vector<std::string>& folders, const std::vector<std::string>& files,
             std::vector<std::string>& refusals) {
  for (const std::string& folder : folders) {
    for (const std::string& file : files) {
      const std::string path = std::string(folder).append("/").append(file);
      if (access(path.c_str(), F_OK) != 0) continue;
      if (void* handle = OpenFile(path)) return handle;
      refusals.emplace_back(dlerror());
    }
  }
  return nullptr;
}

}  // namespace

DynamicLibrary DynamicLibrary::Open(const VendorLibrary& library) {
  DynamicLibrary opened;
  opened.name_ = library.name;
  opened.remedy_ = library.remedy;
  std::vector<std::string> refusals;
  const std::vector<std::string> named = NamedFolders();
  std::vector<std::string> usual;
  opened.handle_ = OpenIn(named, library.files, refusals);
  for (size_t i = 0; i < library.files.size() && opened.handle_ == nullptr; ++i) {
    opened.handle_ = OpenFile(library.files[i]);
  }
  if (opened.handle_ == nullptr) {
    usual = UsualFolders();
    opened.handle_ = OpenIn(usual, library.files, refusals);
  }
  if (opened.handle_ != nullptr) {
    opened.path_ = PathOf(opened.handle_);
    return opened;
  }
  std::vector<std::string> looked = named;
  looked.emplace_back("the loader's path");
  Append(looked, usual);
  opened.reason_ = std::string(library.name) + " was not found: looked for " + Joined(library.files) + " in " +
                   Joined(looked) + (refusals.empty() ? "" : " (" + Joined(refusals) + ")") + "; " + library.remedy +
                   ", or name its folder in " + kFoldersVariable;
  return opened;
}

bool DynamicLibrary::Accompanied(const char* file) {
  if (handle_ == nullptr) return false;
  const std::string beside = path_.substr(0, path_.rfind('/') + 1) + file;
  if (access(beside.c_str(), F_OK) == 0 || OpenFile(file) != nullptr) return true;
  reason_ = path_ + " was found without " + file + ", which it needs; " + remedy_;
  return false;
}

VendorLibraryReport DynamicLibrary::Report(size_t version) const {
  return {name_, version == 0 ? "" : VersionInWords(version), path_, reason_};
}

void* DynamicLibrary::Find(const char* symbol) {
  void* found = handle_ == nullptr ? nullptr : dlsym(handle_, symbol);
  if (found == nullptr && handle_ != nullptr) reason_ = path_ + " has no " + symbol + ": another version is needed";
  return found;
}

}  // namespace slim::cuda
