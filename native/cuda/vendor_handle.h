#pragma once

namespace slim::cuda {

/// What a library of NVIDIA's has made, null before, destroyed with its owner by the function that `Destroy`, a member
/// of what `Library` returns (VendorFunctions' functions), points to.
template <class Handle, auto Library, auto Destroy>
class VendorHandle {
 public:
  VendorHandle() = default;
  VendorHandle(const VendorHandle&) = delete;
  VendorHandle& operator=(const VendorHandle&) = delete;
  ~VendorHandle() {
    if (handle_ != nullptr) (Library().*Destroy)(handle_);
  }

  /// For the function that makes it.
  Handle* Address() { return &handle_; }
  operator Handle() const { return handle_; }

 private:
  Handle handle_ = nullptr;
};

}  // namespace slim::cuda
