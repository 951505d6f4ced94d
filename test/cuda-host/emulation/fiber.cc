#include "emulation/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace emulated {
namespace {

constexpr size_t kStackBytes = size_t{128} << 10;

size_t PageBytes() {
  static const auto bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

// The address sanitizer has to know which stack is run on.
void TellLeaving(void** fake_stack, const FiberContext& to) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(fake_stack, to.bottom, to.size);
#else
  static_cast<void>(fake_stack), static_cast<void>(to);
#endif
}

void TellArrived(void* fake_stack, FiberContext* left) {
#if defined(__SANITIZE_ADDRESS__)
  const void* bottom = nullptr;
  size_t size = 0;
  __sanitizer_finish_switch_fiber(fake_stack, &bottom, &size);
  if (left != nullptr && left->bottom == nullptr) left->bottom = bottom, left->size = size;
#else
  static_cast<void>(fake_stack), static_cast<void>(left);
#endif
}

}  // namespace

FiberStack::FiberStack() {
  void* mapping = mmap(nullptr, kStackBytes + PageBytes(), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (mapping == MAP_FAILED) throw std::bad_alloc();
  mprotect(mapping, PageBytes(), PROT_NONE);
  bottom_ = static_cast<uint8_t*>(mapping) + PageBytes();
}

FiberStack::~FiberStack() {
  Clear();
  munmap(static_cast<uint8_t*>(bottom_) - PageBytes(), kStackBytes + PageBytes());
}

size_t FiberStack::size() const { return kStackBytes; }

void FiberStack::Clear() {
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(bottom_, kStackBytes);
#endif
}

#if defined(__x86_64__)

// System V's callee-saved registers; the floating point modes are the same everywhere here. swapcontext would do, with
// two system calls each time.
extern "C" void emulated_switch(void** save, void* load);
asm(R"(
.text
.p2align 4
.local emulated_switch
.type emulated_switch, @function
emulated_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emulated_switch, .-emulated_switch
)");

void PrepareFiber(FiberContext& context, const FiberStack& stack, FiberEntry entry) {
  constexpr size_t kSavedRegisters = 6;
  // At its first instruction a function finds its return address at the top and the stack aligned to 16 below that.
  auto* top = reinterpret_cast<void**>(static_cast<uint8_t*>(stack.bottom()) + stack.size()) - 2;
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(entry);
  for (size_t i = 0; i < kSavedRegisters; ++i) *--top = nullptr;
  context = {top, nullptr, stack.bottom(), stack.size()};
}

void SwitchFiber(FiberContext& from, FiberContext& to) {
  TellLeaving(&from.fake_stack, to);
  emulated_switch(&from.stack_pointer, to.stack_pointer);
  TellArrived(from.fake_stack, nullptr);
}

void FinishFiber(FiberContext& to) {
  void* abandoned = nullptr;
  TellLeaving(nullptr, to);
  emulated_switch(&abandoned, to.stack_pointer);
  std::abort();
}

#else

void PrepareFiber(FiberContext& context, const FiberStack& stack, FiberEntry entry) {
  // On the stack itself, so that it lives as long as the fiber.
  auto* place = new (stack.bottom()) ucontext_t;
  getcontext(place);
  place->uc_stack.ss_sp = static_cast<uint8_t*>(stack.bottom()) + sizeof(ucontext_t);
  place->uc_stack.ss_size = stack.size() - sizeof(ucontext_t);
  place->uc_link = nullptr;
  makecontext(place, entry, 0);
  context = {place, nullptr, stack.bottom(), stack.size()};
}

void SwitchFiber(FiberContext& from, FiberContext& to) {
  ucontext_t here;
  from.stack_pointer = &here;
  TellLeaving(&from.fake_stack, to);
  swapcontext(&here, static_cast<ucontext_t*>(to.stack_pointer));
  TellArrived(from.fake_stack, nullptr);
}

void FinishFiber(FiberContext& to) {
  TellLeaving(nullptr, to);
  setcontext(static_cast<ucontext_t*>(to.stack_pointer));
  std::abort();
}

#endif

void BeginFiber(FiberContext& from) { TellArrived(nullptr, &from); }

}  // namespace emulated
