# How everything of this project is compiled, as the interface target slim_lstm_compile.

find_package(Threads REQUIRED)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_library(slim_lstm_compile INTERFACE)
target_link_libraries(slim_lstm_compile INTERFACE Threads::Threads)

# No -march: one binary serves every CPU of its architecture, and the CPU device chooses its instruction set when it
# starts. No -ffast-math: results must not depend on what the optimizer reorders. -O2, as the kernels are written in
# vectors: with -O3 bench/gemm gives the same speed.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")

if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
  target_compile_options(slim_lstm_compile INTERFACE -Wall -Wextra)
  if(SLIM_LSTM_WARNINGS_AS_ERRORS)
    target_compile_options(slim_lstm_compile INTERFACE -Werror)
  endif()
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 warns of a changed calling convention wherever a vector type crosses a function that it then inlines.
  target_compile_options(slim_lstm_compile INTERFACE -Wno-psabi)
endif()

if(SLIM_LSTM_SANITIZE)
  string(REPLACE ";" "," sanitizers "${SLIM_LSTM_SANITIZE}")
  target_compile_options(slim_lstm_compile INTERFACE -fsanitize=${sanitizers} -fno-omit-frame-pointer
                                                     -fno-sanitize-recover=all -g1)
  target_link_options(slim_lstm_compile INTERFACE -fsanitize=${sanitizers})
endif()
