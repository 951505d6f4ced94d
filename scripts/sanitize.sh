#!/usr/bin/env bash
# Builds the native tests with the address and undefined-behaviour sanitizers, then with the thread sanitizer, and runs
# them. Arguments go to the test program, such as --suite=product_test. Builds lie in build/sanitize-*. SANITIZERS chooses
# (address, thread, or both, which is usual).
#
# The kernels are compiled for this machine's instruction set alone, as the tests run no other; a compiler may then
# contract products and sums anywhere, which the tests of equal bits do not expect.
set -euo pipefail
cd "$(dirname "$0")/.."

jobs="${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}"
export ASAN_OPTIONS="detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1"
export UBSAN_OPTIONS="print_stacktrace=1"
export TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1"

sanitize() {
  local name="$1" sanitizers="$2"
  shift 2
  local folder="build/sanitize-$name"
  echo "== $sanitizers"
  cmake -S . -B "$folder" -DCMAKE_BUILD_TYPE=Debug -DSLIM_LSTM_ADDON=OFF -DSLIM_LSTM_TESTS=ON \
    "-DCMAKE_CXX_FLAGS=-O1 -march=native -ffp-contract=off -D_GLIBCXX_ASSERTIONS" \
    "-DSLIM_LSTM_SANITIZE=$sanitizers" >/dev/null
  cmake --build "$folder" --target slim_lstm_native_tests --parallel "$jobs"
  "$folder/test/slim_lstm_native_tests" "$@"
}

for name in ${SANITIZERS:-address thread}; do
  case "$name" in
    address) sanitize address "address;undefined" "$@" ;;
    thread) sanitize thread "thread" "$@" ;;
    *)
      echo "Expected address or thread in SANITIZERS but received $name" >&2
      exit 2
      ;;
  esac
done
