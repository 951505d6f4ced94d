#pragma once

#include <cstddef>

namespace emulated {

/// Memory that a fiber runs on: a mapping of its own with a page below that nobody may touch, so that an overflow is a
/// fault and not another thread's damage.
class FiberStack {
 public:
  FiberStack();
  ~FiberStack();
  FiberStack(const FiberStack&) = delete;
  FiberStack& operator=(const FiberStack&) = delete;

  void* bottom() const { return bottom_; }
  size_t size() const;
  /// Forgets what an abandoned fiber left there.
  void Clear();

 private:
  void* bottom_;
};

/// A point where something stopped running and can go on.
struct FiberContext {
  void* stack_pointer = nullptr;
  void* fake_stack = nullptr;  // the address sanitizer's
  const void* bottom = nullptr;
  size_t size = 0;
};

using FiberEntry = void (*)();

/// Makes `context` one that begins `entry` on the stack. `entry` never returns: it ends with FinishFiber.
void PrepareFiber(FiberContext& context, const FiberStack& stack, FiberEntry entry);

/// Leaves `from` and goes on with `to`. Returns when something switches to `from`.
void SwitchFiber(FiberContext& from, FiberContext& to);

/// The first call of every entry: the fiber was switched to from `from`.
void BeginFiber(FiberContext& from);

/// Goes on with `to`; nothing comes back.
[[noreturn]] void FinishFiber(FiberContext& to);

}  // namespace emulated
