# The CUDA device, libslim_lstm_cuda.so: a library of its own that the addon opens when a GPU is asked for. It is left
# out, with one line, where nvcc is not. It links CUDA's runtime statically and loads on machines without a driver;
# cuBLASLt and cuDNN are compiled against where their headers are, and opened at run time.

# Each is a tenth of the package or more, so none is there that another serves as well. 8.9 runs the code of 8.6: the
# compiler gives both the same instructions. 8.6 does not do with that of 8.0, which issues a multiply-add every other
# cycle only. 10.3 runs that of 10.0, 12.1 that of 12.0. Without PTX, what comes after 12 needs a build of its own, and is
# told so.
set(SLIM_LSTM_CUDA_ARCHITECTURES "75-real;80-real;86-real;90a-real;100-real;120-real" CACHE STRING
    "Compute capabilities to compile for, in CMake's notation")
set(SLIM_LSTM_CUDA_HEADERS "${CMAKE_CURRENT_SOURCE_DIR}/build/cuda-headers" CACHE PATH
    "Folder of the headers of cuBLASLt and cuDNN, where the toolkit has none")

# CMake asks for the architectures before it looks at the compiler.
set(CMAKE_CUDA_ARCHITECTURES "${SLIM_LSTM_CUDA_ARCHITECTURES}")
# The toolkit's usual folder is often on no path.
if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
  find_program(CMAKE_CUDA_COMPILER nvcc HINTS ENV CUDA_HOME ENV CUDA_PATH PATHS "/usr/local/cuda" PATH_SUFFIXES bin)
endif()
include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  message(NOTICE "The CUDA library is left out: nvcc was not found")
  return()
endif()
set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
enable_language(CUDA)
# CMake 3.25 and older do not know that nvcc has C++20.
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
endif()
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_EXTENSIONS OFF)
set(CMAKE_CUDA_VISIBILITY_PRESET hidden)
set(CMAKE_CUDA_FLAGS_RELEASE "-O3 -DNDEBUG")

file(GLOB cuda_sources CONFIGURE_DEPENDS native/cuda/*.cu native/cuda/*.cc)
list(FILTER cuda_sources EXCLUDE REGEX "/(cublaslt|cudnn)(_missing)?\\.cc$")

add_library(slim_lstm_cuda SHARED ${cuda_sources})
target_include_directories(slim_lstm_cuda PRIVATE native)
target_include_directories(slim_lstm_cuda SYSTEM PRIVATE ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})
target_link_libraries(slim_lstm_cuda PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
set_target_properties(slim_lstm_cuda PROPERTIES
  CUDA_SEPARABLE_COMPILATION OFF
  # What -Xptxas=-v says is for the tests, not for the terminal.
  CUDA_COMPILER_LAUNCHER "sh;${CMAKE_CURRENT_SOURCE_DIR}/cmake/keep-resource-report.sh"
  LINK_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/native/cuda/exports.map")

# A definition holds no ';'.
string(REPLACE ";" "+" architectures "${SLIM_LSTM_CUDA_ARCHITECTURES}")
target_compile_definitions(slim_lstm_cuda PRIVATE "SLIM_LSTM_CUDA_ARCHITECTURES=\"${architectures}\"")

# One of NVIDIA's libraries: the file that uses it where its header is, otherwise the one that says so.
function(slim_lstm_vendor_library name header folder)
  find_path(SLIM_LSTM_${name}_INCLUDE_DIR "${header}"
            HINTS "${SLIM_LSTM_CUDA_HEADERS}/${folder}" ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})
  mark_as_advanced(SLIM_LSTM_${name}_INCLUDE_DIR)
  if(SLIM_LSTM_${name}_INCLUDE_DIR)
    target_sources(slim_lstm_cuda PRIVATE "native/cuda/${folder}.cc")
    target_include_directories(slim_lstm_cuda SYSTEM PRIVATE "${SLIM_LSTM_${name}_INCLUDE_DIR}")
  else()
    message(NOTICE "The CUDA library goes without ${name}: ${header} was not found (node scripts/cuda-headers.mjs)")
    target_sources(slim_lstm_cuda PRIVATE "native/cuda/${folder}_missing.cc")
  endif()
endfunction()
slim_lstm_vendor_library(cuBLASLt cublasLt.h cublaslt)
slim_lstm_vendor_library(cuDNN cudnn.h cudnn)

# nvcc would pack each kernel by itself. The package packs the library as a whole, which leaves it a third smaller than
# that, and a local build needs no packing.
target_compile_options(slim_lstm_cuda PRIVATE
  $<$<COMPILE_LANGUAGE:CUDA>:-no-compress -Xptxas=-v -Xcompiler=-Wall,-Wextra>
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra>)
if(SLIM_LSTM_WARNINGS_AS_ERRORS)
  target_compile_options(slim_lstm_cuda PRIVATE
    $<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings>
    $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
# As for the addon: nothing is needed of the user's machine but its libc and libgcc_s.
target_link_options(slim_lstm_cuda PRIVATE
  -static-libstdc++
  "-Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/native/cuda/exports.map"
  -Wl,-Bsymbolic-functions -Wl,--exclude-libs,ALL -Wl,--gc-sections
  -Wl,-z,relro -Wl,-z,now -Wl,-z,nodelete -Wl,--no-undefined)
