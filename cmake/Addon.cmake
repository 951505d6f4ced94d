# The Node addon, slim_lstm.node: native/addon on top of the engine.
# cmake-js passes CMAKE_JS_INC and the rest; a plain CMake run (an editor, clang-tidy) asks the header packages itself.

if(NOT CMAKE_JS_INC)
  find_program(NODE_EXECUTABLE node REQUIRED)
  execute_process(
    COMMAND "${NODE_EXECUTABLE}" -p "require('node-api-headers').include_dir"
    WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
    OUTPUT_VARIABLE CMAKE_JS_INC
    OUTPUT_STRIP_TRAILING_WHITESPACE
    COMMAND_ERROR_IS_FATAL ANY)
endif()

if(NOT NODE_ADDON_API_INCLUDE_DIR)
  find_program(NODE_EXECUTABLE node REQUIRED)
  execute_process(
    COMMAND "${NODE_EXECUTABLE}" -p "require('node-addon-api').include_dir"
    WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
    OUTPUT_VARIABLE NODE_ADDON_API_INCLUDE_DIR
    OUTPUT_STRIP_TRAILING_WHITESPACE
    COMMAND_ERROR_IS_FATAL ANY)
  get_filename_component(NODE_ADDON_API_INCLUDE_DIR "${NODE_ADDON_API_INCLUDE_DIR}" ABSOLUTE
                         BASE_DIR "${CMAKE_CURRENT_SOURCE_DIR}")
endif()

add_library(slim_lstm SHARED ${addon_sources} ${CMAKE_JS_SRC})
target_link_libraries(slim_lstm PRIVATE slim_lstm_engine ${CMAKE_DL_LIBS} ${CMAKE_JS_LIB})
target_include_directories(slim_lstm SYSTEM PRIVATE ${CMAKE_JS_INC} "${NODE_ADDON_API_INCLUDE_DIR}")
# Swallowing: in a worker that is being ended no exception can be thrown any more, and that must not end the process.
target_compile_definitions(slim_lstm PRIVATE NAPI_VERSION=9 NODE_ADDON_API_CPP_EXCEPTIONS NODE_ADDON_API_DISABLE_DEPRECATED
                                             NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
                                             BUILDING_NODE_EXTENSION)
set_target_properties(slim_lstm PROPERTIES
  PREFIX ""
  SUFFIX ".node"
  BUILD_WITH_INSTALL_RPATH ON
  INSTALL_RPATH "$ORIGIN")

if(APPLE)
  target_link_options(slim_lstm PRIVATE -undefined dynamic_lookup)
elseif(UNIX)
  # -z nodelete: unloading a library whose threads have thread-local destructors crashes the workers that used it.
  # The C++ runtime is linked in, so that the binary needs nothing newer on the user's machine than its libc. libgcc_s is
  # not: its symbols are old and everywhere, while the static one of GCC 12 asks for glibc 2.35.
  target_link_options(slim_lstm PRIVATE
    -static-libstdc++
    -Wl,-Bsymbolic-functions -Wl,--exclude-libs,ALL -Wl,--gc-sections
    -Wl,-z,relro -Wl,-z,now -Wl,-z,nodelete)
endif()
